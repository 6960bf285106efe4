"""Queues, and the mappings that feed functions from them."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from emberbox.clock import Clock
from emberbox.invoke.frontdoor import FrontDoor
from emberbox.model.mapping import EventSourceMapping, SourceKind
from emberbox.model.poller_pace import Pace, limits_of
from emberbox.services.sqs.port import LocalQueues
from emberbox.services.sqs.service import SqsService
from emberbox.sources.engine import Engine
from emberbox.sources.invoking import FunctionWatch, Invoker
from emberbox.sources.queue_checks import ACTIONS, QueueCheck
from emberbox.sources.queue_feed import QueueFeed
from emberbox.sources.queue_port import QueuePort
from emberbox.sources.rights import Rights
from emberbox.sources.worker import Report, Worker
from emberbox.storage.catalog import FunctionCatalog
from emberbox.storage.mappings import MappingStore

_READING = tuple(f"sqs:{action}" for action in ACTIONS)


@dataclass(frozen=True, slots=True)
class Messaging:
    """What others need of it. `checks` look at a source before a mapping of it is made."""

    sqs: SqsService
    queues: QueuePort
    rights: Rights
    checks: Mapping[SourceKind, QueueCheck]


async def open_messaging(data: Path, clock: Clock, stack: AsyncExitStack) -> Messaging:
    """Open the queues; they close when the stack unwinds."""
    sqs = await SqsService.start(data / "queues.db", clock, stack)
    queues = LocalQueues(sqs.broker)
    check = QueueCheck(queues, _anything)
    checks = {kind: check for kind in SourceKind if kind.is_queue}
    return Messaging(sqs, queues, _anything, checks)


def open_sources(
    messaging: Messaging,
    mappings: MappingStore,
    catalog: FunctionCatalog,
    front_door: FrontDoor,
    clock: Clock,
    stack: AsyncExitStack,
    *,
    drain_s: float,
) -> Engine:
    """Begin to poll; unwinding, the stack lets batches that run come to their end."""
    watch = FunctionWatch(catalog)

    def queue_worker(mapping: EventSourceMapping, report: Report) -> Worker:
        rights = messaging.rights
        return Worker(
            QueueFeed(mapping, messaging.queues, clock),
            Invoker(mapping, front_door, watch, rights, _READING, clock),
            Pace(limits_of(mapping.settings), clock.monotonic()),
            clock,
            report,
        )

    engine = Engine(mappings, dict.fromkeys(messaging.checks, queue_worker))
    engine.open()
    stack.push_async_callback(partial(engine.close, drain_s))
    return engine


async def _anything(role: str, action: str, resource: str) -> bool:
    """Roles are not looked at: they may do everything."""
    del role, action, resource
    return True
