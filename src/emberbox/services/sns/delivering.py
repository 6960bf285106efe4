"""Brings messages of topics to their subscriptions, until each is there or is given up.

Each subscription that has something to be delivered has a lane of its own, of so many deliveries at
once that a slow web server takes a quarter of the threads that call such servers at most: one keeps
nobody else waiting, four that never answer do. A lane ends when there is nothing left for it.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from emberbox.clock import Clock
from emberbox.errors import CallerError, EmberboxError
from emberbox.model.sns_retries import AWS_MANAGED, Retries, of_http
from emberbox.model.topic import Publication, Subscription, Topic, TopicKey
from emberbox.rounds import Trouble, until_done
from emberbox.storage.publications import Due, PublicationStore
from emberbox.storage.topics import TopicStore

log = logging.getLogger("emberbox.sns")

Send = Callable[[Subscription, Publication], Awaitable[None]]
"""Delivers once. CallerError if it never will be, another error if it may be later."""

Bury = Callable[[str, Subscription, Publication, Mapping[str, str]], Awaitable[None]]
"""Puts a message with some attributes into a queue of dead letters; errors as for `Send`."""

Counted = Callable[[str, TopicKey, float], None]
"""Hears a value of a metric of AWS/SNS, of a topic."""

_AT_ONCE: Final = 16
_RETRY_MS: Final = 20_000


class Deliveries:
    """See the module. `senders` by protocol."""

    def __init__(
        self,
        store: TopicStore,
        publications: PublicationStore,
        clock: Clock,
        senders: Mapping[str, Send],
        bury: Bury,
        counted: Counted,
    ) -> None:
        self._store = store
        self._publications = publications
        self._clock = clock
        self._senders = senders
        self._bury = bury
        self._counted = counted
        self._lanes: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin with what is on disk."""
        self.poke(await self._publications.waiting())

    async def close(self) -> None:
        """Stop; what is not delivered is on disk."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def poke(self, subscriptions: Sequence[str]) -> None:
        """These have something to be delivered."""
        for subscription in subscriptions:
            lane = self._lanes.get(subscription)
            if lane is not None:
                lane.set()
                continue
            self._lanes[subscription] = asyncio.Event()
            task = asyncio.create_task(self._serve(subscription))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, id_: str) -> None:
        lane = self._lanes[id_]
        trouble = Trouble(log, f"deliveries to {id_} cannot be read or noted")
        while True:
            lane.clear()
            next_ms = await until_done(partial(self._round, id_), trouble)
            if lane.is_set():
                continue
            if next_ms is None:
                del self._lanes[id_]
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, next_ms / 1_000 - self._clock.now())):
                    await lane.wait()

    async def _round(self, id_: str) -> int | None:
        """Deliver what is due; when the next is, None if there is none."""
        while True:
            subscription = self._store.subscriptions.get(id_)
            if subscription is None:
                await self._publications.forget(id_)
                return None
            in_order = subscription.topic.name.endswith(".fifo")
            due, next_ms = await self._publications.due(
                id_, self._now_ms(), _AT_ONCE, in_order=in_order
            )
            if not due:
                return next_ms
            if in_order:
                for each in due:
                    if not await self._one(subscription, each):
                        break
            else:
                await asyncio.gather(*(self._one(subscription, each) for each in due))

    async def _one(self, subscription: Subscription, due: Due) -> bool:
        """Try a delivery once; whether it is over."""
        try:
            await self._senders[subscription.protocol](subscription, due.message)
        except CallerError as error:
            return await self._give_up(subscription, due, error)
        except Exception as error:
            if not isinstance(error, EmberboxError | OSError):
                log.exception("a delivery to %s met a fault", subscription.arn)
            pause_s = self._retries(subscription).pause_s(due.attempts + 1)
            if pause_s is None:
                return await self._give_up(subscription, due, error)
            await self._publications.again(due, self._now_ms() + int(pause_s * 1_000))
            return False
        self._counted("NumberOfNotificationsDelivered", subscription.topic, 1)
        await self._publications.done(due)
        return True

    async def _give_up(self, subscription: Subscription, due: Due, error: Exception) -> bool:
        self._counted("NumberOfNotificationsFailed", subscription.topic, 1)
        target = subscription.dead_letters
        if target is None:
            log.warning("a message for %s is dropped: %s", subscription.arn, error)
        else:
            status = error.status if isinstance(error, CallerError) else None
            told = {
                "RequestID": str(uuid.uuid4()),
                "ErrorCode": str(status or 500),
                "ErrorMessage": str(error)[:1024] or "Delivery failed",
            }
            try:
                await self._bury(target, subscription, due.message, told)
            except CallerError as problem:
                self._counted("NumberOfNotificationsFailedToRedriveToDlq", subscription.topic, 1)
                log.warning(
                    "a message for %s is dropped: %s; and no dead letter: %s",
                    subscription.arn,
                    error,
                    problem,
                )
            except Exception as problem:  # noqa: BLE001 - the message waits for its grave
                log.warning("%s takes no dead letter now: %s", target, problem)
                await self._publications.again(due, self._now_ms() + _RETRY_MS)
                return False
            else:
                self._counted("NumberOfNotificationsRedrivenToDlq", subscription.topic, 1)
        await self._publications.done(due)
        return True

    def _retries(self, subscription: Subscription) -> Retries:
        if subscription.protocol not in ("http", "https"):
            return AWS_MANAGED
        topic: Topic | None = self._store.topics.get(subscription.topic)
        of_topic = topic.attributes.get("DeliveryPolicy") if topic is not None else None
        return of_http(of_topic, subscription.attributes.get("DeliveryPolicy"))

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1_000)
