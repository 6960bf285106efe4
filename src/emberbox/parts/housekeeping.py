"""What nobody uses any more is removed now and then."""

import logging
from contextlib import AsyncExitStack

from emberbox.environment.fleet import Fleet
from emberbox.functions.service import FunctionsService
from emberbox.rounds import Paced, Trouble

log = logging.getLogger("emberbox.server")

_EVERY_S = 3_600.0


def keep_house(functions: FunctionsService, fleet: Fleet, stack: AsyncExitStack) -> None:
    """Remove code that nobody uses, now and then every hour, until the stack unwinds."""

    async def remove_unused_code() -> None:
        mounted = {tree for e in fleet.environments() for tree in e.plan.trees.names}
        removed = await functions.collect_packages(mounted)
        if removed:
            log.info("%d unused code packages were removed", removed)

    trouble = Trouble(log, "unused code packages could not be removed")
    keeping = Paced(remove_unused_code, _EVERY_S, trouble)
    keeping.open(at_once=True)
    stack.push_async_callback(keeping.close)
