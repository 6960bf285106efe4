"""Queues and topics, and the mappings that feed functions from queues."""

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from emberbox.errors import CallerError
from emberbox.identity.sealing import Sealer
from emberbox.invoke.deliveries import Deliver
from emberbox.invoke.frontdoor import FrontDoor
from emberbox.model.async_deliveries import Delivery
from emberbox.model.mapping import EventSourceMapping, SourceKind
from emberbox.model.metrics import Dimension, SeriesKey
from emberbox.model.notification import Urls
from emberbox.model.poller_pace import Pace, limits_of
from emberbox.model.request import Service
from emberbox.model.topic import TopicKey
from emberbox.parts.asynchronous import Asynchronous
from emberbox.parts.ground import Ground
from emberbox.records import dataclass
from emberbox.services.elsewhere import Elsewhere
from emberbox.services.sns.elsewhere import TopicsElsewhere
from emberbox.services.sns.senders import MayDeliver
from emberbox.services.sns.service import SnsService
from emberbox.services.sns.signing import Signer
from emberbox.services.sns.web import WebPoster
from emberbox.services.sqs.elsewhere import QueuesElsewhere
from emberbox.services.sqs.metrics import QueueMetrics
from emberbox.services.sqs.port import LocalQueues
from emberbox.services.sqs.service import SqsService
from emberbox.services.sqs.sink import QueueSink
from emberbox.services.to_queues import SendToQueue
from emberbox.sources.batch_spans import BatchSpans
from emberbox.sources.counting import counting
from emberbox.sources.engine import Engine
from emberbox.sources.invoking import FunctionWatch, Invoker
from emberbox.sources.queue_checks import ACTIONS, QueueCheck
from emberbox.sources.queue_feed import QueueFeed
from emberbox.sources.queue_port import QueuePort
from emberbox.sources.rights import Rights
from emberbox.sources.worker import Report, Worker
from emberbox.storage.catalog import FunctionCatalog
from emberbox.storage.mappings import MappingStore
from emberbox.telemetry.metrics import MetricSink
from emberbox.telemetry.spans import Spans

CERTIFICATES = "/_emberbox/sns/"
_READING = tuple(f"sqs:{action}" for action in ACTIONS)


class QueueTarget(Protocol):
    """The ways into queues, here or elsewhere."""

    @property
    def send(self) -> SendToQueue:
        """For topics."""
        ...

    @property
    def deliver(self) -> Deliver:
        """For what is told of asynchronous invocations."""
        ...


@dataclass(frozen=True, slots=True)
class Messaging:
    """What others need of it. `checks` look at a source before a mapping of it is made."""

    sqs: SqsService
    sns: SnsService
    signer: Signer
    queues: QueuePort
    sink: QueueTarget
    tell_topic: Deliver
    rights: Rights
    checks: Mapping[SourceKind, QueueCheck]

    @property
    def services(self) -> tuple[Service, ...]:
        """What the gateway serves of it."""
        return self.sqs, self.sns


async def open_messaging(ground: Ground, base: str, rights: Rights) -> Messaging:
    """Open queues and topics; they close when the stack unwinds. `base` is the server's own URL.

    Where the settings have an endpoint of a service, pollers and deliveries use that one, and not
    ours.
    """
    data, clock, stack = ground.data, ground.clock, ground.stack
    endpoints = dict(ground.settings.endpoints)
    sqs = await SqsService.start(data / "queues.db", clock, stack)
    password = Sealer(ground.secret).derived("signing").hex().encode()
    signer = Signer(data / "sns.pem", clock.now(), password)
    urls = Urls(base, lambda: f"{base}{CERTIFICATES}{signer.name}")
    sns = await SnsService.start(data / "topics.db", clock, signer, urls, stack)
    queues: QueuePort = LocalQueues(sqs.broker)
    sink: QueueTarget = QueueSink(sqs.broker)
    tell_topic = sns.deliver
    if "sqs" in endpoints:
        queues = sink = QueuesElsewhere(Elsewhere("sqs", endpoints["sqs"]), clock)
    if "sns" in endpoints:
        tell_topic = TopicsElsewhere(Elsewhere("sns", endpoints["sns"])).deliver
    check = QueueCheck(queues, rights)
    checks = {kind: check for kind in SourceKind if kind.is_queue}
    return Messaging(sqs, sns, signer, queues, sink, tell_topic, rights, checks)


async def open_deliveries(
    ground: Ground,
    messaging: Messaging,
    asynchronous: Asynchronous,
    may: MayDeliver,
    metrics: MetricSink,
) -> None:
    """Begin to deliver messages of topics; queues and topics become targets of invocations."""
    sink = messaging.sink
    rights = messaging.rights
    asynchronous.targets["sqs"] = permitted("sqs:SendMessage", sink.deliver, rights)
    asynchronous.targets["sns"] = permitted("sns:Publish", messaging.tell_topic, rights)

    def counted(metric: str, topic: TopicKey, value: float) -> None:
        dimensions = (Dimension("TopicName", topic.name),)
        unit = "Bytes" if metric == "PublishSize" else "Count"
        key = SeriesKey(topic.account, topic.region, "AWS/SNS", metric, dimensions, unit)
        metrics.add(key, value)

    of_queues = QueueMetrics(messaging.sqs.broker, metrics.add, ground.clock)
    of_queues.open()
    ground.stack.push_async_callback(of_queues.close)
    post = WebPoster(everywhere=ground.settings.sns_local_web)
    await messaging.sns.open(
        sink.send, asynchronous.entry.pass_on, may, counted, post, ground.stack
    )


def open_sources(
    ground: Ground,
    messaging: Messaging,
    mappings: MappingStore,
    catalog: FunctionCatalog,
    front_door: FrontDoor,
    metrics: MetricSink,
    spans: Spans | None,
) -> Engine:
    """Begin to poll; unwinding, the stack lets batches that run come to their end."""
    clock = ground.clock
    watch = FunctionWatch(catalog)
    of_batches = None if spans is None else BatchSpans(spans)

    def queue_worker(mapping: EventSourceMapping, report: Report) -> Worker:
        rights, count = messaging.rights, counting(mapping, metrics.add)
        return Worker(
            QueueFeed(mapping, messaging.queues, clock, count),
            Invoker(mapping, front_door, watch, rights, _READING, clock, count, of_batches),
            Pace(limits_of(mapping.settings), clock.monotonic()),
            clock,
            report,
        )

    engine = Engine(mappings, dict.fromkeys(messaging.checks, queue_worker))
    engine.open()
    ground.stack.push_async_callback(partial(engine.close, ground.settings.drain_s))
    return engine


def permitted(action: str, deliver: Deliver, rights: Rights) -> Deliver:
    """Deliveries in the name of a role, refused if it may not do that."""

    async def checked(delivery: Delivery) -> None:
        if not await rights(delivery.role, action, delivery.target):
            raise CallerError(
                "AccessDeniedException", f"{delivery.role} may not do {action}", status=403
            )
        await deliver(delivery)

    return checked
