"""Asynchronous invocation: its queue, its engine, and the targets of its records."""

import asyncio

from emberbox.invoke.async_entry import AsyncEntry, EventRunner, FunctionPolicies
from emberbox.invoke.asynchronous import AsyncInvoker
from emberbox.invoke.deliveries import Deliver, Deliveries
from emberbox.invoke.frontdoor import FrontDoor
from emberbox.model.async_deliveries import Delivery
from emberbox.model.function import FunctionVersion
from emberbox.model.names import LATEST
from emberbox.parts.ground import Ground
from emberbox.records import dataclass
from emberbox.storage.catalog import FunctionCatalog
from emberbox.storage.database import Database
from emberbox.storage.event_queue import EventQueue
from emberbox.telemetry.async_metrics import AsyncMetrics
from emberbox.telemetry.lambda_metrics import Called, LambdaMetrics


@dataclass(frozen=True, slots=True)
class Asynchronous:
    """What others need of it. Services enter themselves in `targets`, by the name in their ARNs."""

    entry: AsyncEntry
    invoker: AsyncInvoker
    deliveries: Deliveries
    targets: dict[str, Deliver]


async def open_asynchronous(
    ground: Ground, front_door: FrontDoor, catalog: FunctionCatalog, metrics: LambdaMetrics
) -> Asynchronous:
    """Open it and begin with what is on disk; it closes when the stack unwinds."""
    database = await Database.open(ground.data / "events.db", "events")
    clock, stack = ground.clock, ground.stack
    stack.push_async_callback(database.close)
    queue = await EventQueue.open(database)

    def failed(metric: str, delivery: Delivery) -> None:
        about = (delivery.account, delivery.region, delivery.name, delivery.qualifier)
        metrics.add(metric, Called(*about))

    targets: dict[str, Deliver] = {}
    deliveries = Deliveries(queue, targets, clock, failed)
    invoker = AsyncInvoker(
        queue,
        EventRunner(front_door),
        FunctionPolicies(catalog),
        clock,
        AsyncMetrics(metrics, clock),
        deliveries.soon,
        slots=ground.settings.async_concurrency,
    )
    entry = AsyncEntry(catalog, invoker, clock)
    targets["lambda"] = entry.deliver
    front_door.events = invoker
    catalog.listeners.append(_Forgetting(invoker).function_changed)
    deliveries.open()
    stack.push_async_callback(deliveries.close)
    await invoker.open()
    stack.push_async_callback(invoker.close)
    return Asynchronous(entry, invoker, deliveries, targets)


class _Forgetting:
    """Events of a function that is deleted go with it."""

    def __init__(self, invoker: AsyncInvoker) -> None:
        self._invoker = invoker
        self._tasks: set[asyncio.Task[None]] = set()

    def function_changed(
        self, before: FunctionVersion | None, after: FunctionVersion | None
    ) -> None:
        """Listener of the catalog."""
        if after is None and before is not None and before.version == LATEST:
            work = self._invoker.function_deleted(before.key)
            task = asyncio.get_running_loop().create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
