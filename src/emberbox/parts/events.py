"""EventBridge and its Scheduler: their services, and the ways to the targets of both."""

from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from emberbox.clock import Clock
from emberbox.gateway.guard import ResourcePolicies
from emberbox.identity.sealing import Sealer
from emberbox.model.async_deliveries import Delivery
from emberbox.model.event_bus import DEFAULT, Rule
from emberbox.model.metrics import Dimension, SeriesKey
from emberbox.model.parcels import Parcel
from emberbox.model.request import Service
from emberbox.model.scheduling import ATTEMPT
from emberbox.parts.asynchronous import Asynchronous
from emberbox.parts.ground import Ground
from emberbox.parts.logs import Logs
from emberbox.parts.messaging import Messaging, permitted
from emberbox.parts.resource_policies import bus_policies, queue_policies, topic_policies
from emberbox.parts.universal import UniversalCalls
from emberbox.records import dataclass
from emberbox.services.elsewhere import Elsewhere
from emberbox.services.events.elsewhere import BusesElsewhere
from emberbox.services.events.service import EventsService
from emberbox.services.scheduler.service import SchedulerService
from emberbox.services.targets.dispatching import Counted, Dispatcher
from emberbox.services.targets.senders import May, Senders, Ways
from emberbox.services.targets.web import WebCaller
from emberbox.sources.rights import Rights
from emberbox.telemetry.metrics import MetricSink


@dataclass(frozen=True, slots=True)
class Events:
    """What others need of it. `open` once what parcels are brought to is there."""

    rules: EventsService
    schedules: SchedulerService
    universal: UniversalCalls
    metrics: MetricSink
    clock: Clock
    elsewhere: BusesElsewhere | None = None

    def among(self, others: list[Service]) -> list[Service]:
        """All services: these and the others, whose operations schedules may call."""
        services = [*others, self.rules, self.schedules]
        self.universal.services = {service.name: service for service in services}
        return services

    def policies(self, messaging: Messaging) -> dict[str, ResourcePolicies]:
        """The policies of queues, topics and buses, by service."""
        return {
            "sqs": queue_policies(messaging.sqs.broker.queues),
            "sns": topic_policies(messaging.sns.store),
            "events": bus_policies(self.rules.buses),
        }

    def open(
        self,
        messaging: Messaging,
        asynchronous: Asynchronous,
        logs: Logs,
        may: May,
        stack: AsyncExitStack,
    ) -> None:
        """Begin to send to targets; buses become destinations of asynchronous invocations."""
        ways = Ways(
            asynchronous.entry.pass_on,
            messaging.sink.send,
            partial(_publish, messaging),
            logs.write,
            self.rules.put,
            self.rules.caller.call,
            self.universal.call,
        )
        senders = Senders(ways, may)
        self.universal.invoke = asynchronous.entry.pass_on
        self.rules.open(
            Dispatcher(
                self.rules.outbox,
                senders.send,
                senders.bury,
                self.clock,
                target_counter(self.metrics, "AWS/Events"),
            ),
            stack,
        )
        of_schedules, deliver = senders, self.rules.putting.deliver
        if self.elsewhere is not None:
            of_schedules = Senders(replace(ways, put=self.elsewhere.put), may)
            deliver = self.elsewhere.deliver
        self.schedules.open(
            Dispatcher(
                self.schedules.outbox,
                partial(_numbered, of_schedules),
                senders.bury,
                self.clock,
                target_counter(self.metrics, "AWS/Scheduler"),
            ),
            stack,
        )
        asynchronous.targets["events"] = permitted("events:PutEvents", deliver, messaging.rights)


async def open_events(ground: Ground, roles: Rights, metrics: MetricSink) -> Events:
    """Open buses, rules and schedules; they close when the stack unwinds.

    `roles` tells what roles may do.
    """

    def counted(metric: str, rule: Rule) -> None:
        dimensions = [Dimension("RuleName", rule.name)]
        if rule.bus != DEFAULT:
            dimensions.insert(0, Dimension("EventBusName", rule.bus))
        where = (rule.account, rule.region, "AWS/Events", metric)
        metrics.add(SeriesKey(*where, tuple(dimensions), "Count"), 1.0)

    clock, stack = ground.clock, ground.stack
    path = ground.data / "buses.db"
    web = WebCaller(everywhere=ground.settings.sns_local_web)
    rules = await EventsService.start(path, Sealer(ground.secret), web, clock, counted, stack)
    universal = UniversalCalls(roles)
    path = ground.data / "schedules.db"
    schedules = await SchedulerService.start(path, clock, universal.knows, stack)
    endpoint = dict(ground.settings.endpoints).get("events")
    elsewhere = None if endpoint is None else BusesElsewhere(Elsewhere("events", endpoint))
    return Events(rules, schedules, universal, metrics, clock, elsewhere)


async def _publish(messaging: Messaging, arn: str, message: str) -> None:
    place, name = arn.split(":")[3:5], arn.rpartition(":")[2]
    about = ("", place[1], place[0], name)
    await messaging.tell_topic(Delivery("destination", arn, *about, message.encode(), {}))


async def _numbered(senders: Senders, parcel: Parcel, tries: int) -> None:
    """Send what a schedule sends, with the number of the attempt where it wants that."""
    body = parcel.body.replace(ATTEMPT, str(tries + 1))
    await senders.send(replace(parcel, body=body), tries)


def target_counter(metrics: MetricSink, namespace: str) -> Counted:
    """Counts what happens to parcels, by rule or by schedule group."""

    def counted(metric: str, parcel: Parcel) -> None:
        resource = parcel.source.split(":", 5)[5].split("/")
        if resource[0] == "schedule":
            names = {"ScheduleGroup": resource[1]}
        elif len(resource) == 3:
            names = {"EventBusName": resource[1], "RuleName": resource[2]}
        else:
            names = {"RuleName": resource[1]}
        dimensions = tuple(Dimension(*pair) for pair in names.items())
        where = (parcel.account, parcel.region, namespace, metric)
        metrics.add(SeriesKey(*where, dimensions, "Count"), 1.0)

    return counted
