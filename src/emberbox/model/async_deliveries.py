"""What is told of an event that is over, and whom: destinations and dead letters, as pure rules."""

import json
from typing import Any, NamedTuple

from emberbox.model.async_invocation import (
    AsyncPolicy,
    Condition,
    Over,
    QueuedEvent,
    Ran,
    dead_letter_attributes,
    destination_record,
    fitted,
)
from emberbox.model.names import LATEST, function_arn
from emberbox.model.trace import entered


class Delivery(NamedTuple):
    """One message to one target. `kind` is `destination` or `dead-letter`.

    `attributes` are message attributes: name -> (data type, value). `account`, `region` and `name`
    are of the function that it is about; `role` is the ARN of its execution role. `trace` goes on
    with the message; the function is in its lineage.
    """

    kind: str
    target: str
    role: str
    account: str
    region: str
    name: str
    body: bytes
    attributes: dict[str, tuple[str, str]]
    trace: str = ""
    qualifier: str = ""

    def message_attributes(self) -> dict[str, dict[str, str]]:
        """The attributes as SQS and SNS take them."""
        return {
            name: {"DataType": kind, "StringValue": value}
            for name, (kind, value) in self.attributes.items()
        }


def deliveries_of(
    event: QueuedEvent, policy: AsyncPolicy, over: Over, ran: Ran | None, now: float
) -> list[Delivery]:
    """The messages about one event. A dead letter and a failure destination may both be due."""
    found: list[Delivery] = []
    failed = over.condition is not Condition.SUCCESS
    target = policy.on_failure if failed else policy.on_success
    if not target and not (failed and policy.dead_letters):
        return found
    about = (policy.role, event.account, event.region, event.name)
    trace, _ = entered(event.trace or own_trace(event), event.lane)
    last = (trace, event.qualifier)
    if target:
        arn = function_arn(event.account, event.region, event.name, event.qualifier or LATEST)
        record = destination_record(event, arn, over, ran, now)
        found.append(Delivery("destination", target, *about, fitted(record), {}, *last))
    if failed and policy.dead_letters:
        attributes = dead_letter_attributes(event, ran)
        found.append(
            Delivery("dead-letter", policy.dead_letters, *about, event.payload, attributes, *last)
        )
    return found


def own_trace(event: QueuedEvent) -> str:
    """A trace for an event that came without: nobody has decided whether it is recorded."""
    return f"Root=1-{int(event.accepted):08x}-{event.request_id.replace('-', '')[:24]:0>24}"


def bus_entry(delivery: Delivery) -> dict[str, Any]:
    """A record as the entry of PutEvents that a destination of EventBridge gets."""
    record = json.loads(delivery.body)
    context = record["requestContext"]
    outcome = "Success" if context["condition"] == Condition.SUCCESS.value else "Failure"
    return {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {outcome}",
        "Detail": delivery.body.decode(),
        "EventBusName": delivery.target,
        "Resources": [delivery.target, context["functionArn"]],
    }
