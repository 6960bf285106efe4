"""Versions that nobody uses become Inactive, if that is wanted, and are brought back."""

import logging
from typing import Final

from emberbox.clock import utc
from emberbox.environment.states import State
from emberbox.model.attachment import Kind
from emberbox.parts.environments import Environments
from emberbox.parts.front import Front
from emberbox.parts.ground import Ground
from emberbox.rounds import Paced, Trouble
from emberbox.telemetry.last_use import LastUse, Place

_OFTEN: Final = 10
"""How many looks there are in the time that a version may be idle."""

_MOST_S: Final = 3_600.0
_AT_WORK: Final = frozenset({State.INIT, State.BUSY})

log = logging.getLogger("emberbox.functions")


async def open_idleness(ground: Ground, front: Front, environments: Environments) -> None:
    """Wake what is asked for; look for idle versions until the stack unwinds, if that is set."""
    idling, sink, catalog = front.functions.idling, front.usage.sink, front.catalog
    front.front_door.activation.wake = idling.wake
    environments.provisioner.wake = idling.wake
    limit_s, clock = ground.settings.inactive_after_s, ground.clock
    if limit_s is None:
        return
    since = f"{utc(clock.now() - limit_s):%Y-%m-%d}"
    last_use = LastUse(await front.usage.store.last_days(since), clock)
    sink.listeners.append(last_use.ran)
    catalog.listeners.append(last_use.function_changed)

    def kept() -> set[Place]:
        """What runs now, and what is provisioned."""
        found = {
            (*each.plan.function.key, each.plan.function.version)
            for each in environments.fleet.environments()
            if each.state in _AT_WORK
        }
        for key, attached in catalog.all_attachments(Kind.PROVISIONED):
            alias = catalog.alias(key, attached.qualifier)
            found.add((*key, attached.qualifier if alias is None else alias.version))
        return found

    async def look() -> None:
        sink.fold()
        await idling.sweep(last_use.at, kept(), clock.now(), limit_s)

    trouble = Trouble(log, "idle functions could not be looked for")
    looking = Paced(look, min(_MOST_S, limit_s / _OFTEN), trouble)
    looking.open()
    ground.stack.push_async_callback(looking.close)
