"""What nobody uses any more is removed now and then."""

import asyncio
import logging
from contextlib import AsyncExitStack, suppress

from emberbox.environment.fleet import Fleet
from emberbox.functions.service import FunctionsService

log = logging.getLogger("emberbox.server")

_EVERY_S = 3_600.0


def keep_house(functions: FunctionsService, fleet: Fleet, stack: AsyncExitStack) -> None:
    """Begin to; until the stack unwinds."""
    stack.push_async_callback(_cancel, asyncio.create_task(_keep_house(functions, fleet)))


async def _keep_house(functions: FunctionsService, fleet: Fleet) -> None:
    """Remove code that nobody uses, at the start and then every hour."""
    while True:
        mounted = {tree for e in fleet.environments() for tree in e.plan.trees.names}
        try:
            removed = await functions.collect_packages(mounted)
        except OSError as error:
            log.warning("unused code packages could not be removed: %s", error)
        else:
            if removed:
                log.info("%d unused code packages were removed", removed)
        await asyncio.sleep(_EVERY_S)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
