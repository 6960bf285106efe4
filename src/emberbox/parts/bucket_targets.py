"""What buckets tell of their objects: functions, queues, topics and buses, where these let them."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from emberbox.errors import CallerError
from emberbox.gateway.guard import ResourcePolicies
from emberbox.invoke.async_entry import AsyncEntry
from emberbox.invoke.delivery_rights import may_deliver
from emberbox.model.async_deliveries import Delivery
from emberbox.model.names import LATEST, BadNameError, parse_function_arn
from emberbox.model.policy.evaluation import Policies, Request, decide
from emberbox.model.policy.principals import service
from emberbox.parts.messaging import Messaging
from emberbox.parts.resource_policies import queue_policies, topic_policies
from emberbox.records import dataclass
from emberbox.services.s3.targets import Target, Targets
from emberbox.services.sqs.sink import QueueSink
from emberbox.settings import AuthMode
from emberbox.storage.catalog import FunctionCatalog
from emberbox.storage.s3_records import Bucket

Emit = Callable[[str, str, Mapping[str, Any]], Awaitable[None]]
"""Puts an entry on the default bus of an account in a region; it is on disk when it returns."""

_PRINCIPAL = "s3.amazonaws.com"
_SUBJECT = "Amazon S3 Notification"
_MISSING = "The destination does not exist"
_DENIED = "Not authorized to invoke or to send to the destination: its policy does not allow it"


@dataclass(frozen=True, slots=True)
class _Functions:
    """Events enter the function's own queue, which tries and retries them."""

    entry: AsyncEntry
    catalog: FunctionCatalog
    is_enforced: bool

    async def problem(self, arn: str, bucket: Bucket) -> str:
        """See `Target`."""
        try:
            found = parse_function_arn(arn)
        except BadNameError:
            return _MISSING
        key = (found.account or "", found.region or "", found.name)
        if not self.catalog.has_qualifier(key, found.qualifier or LATEST):
            return _MISSING
        allowed = not self.is_enforced or may_deliver(
            self.catalog,
            _PRINCIPAL,
            key,
            found.qualifier,
            source_arn=bucket.arn,
            source_account=bucket.account,
        )
        return "" if allowed else _DENIED

    async def tell(self, arn: str, bucket: Bucket, body: str, trace: str) -> None:
        """See `Target`."""
        await _check(self, arn, bucket)
        await self.entry.pass_on(arn, body.encode(), trace=trace)


@dataclass(frozen=True, slots=True)
class _Queues:
    """Queues of this server, or of the one that has them in its place, which asks no policy."""

    messaging: Messaging
    policies: ResourcePolicies
    is_enforced: bool

    async def problem(self, arn: str, bucket: Bucket) -> str:
        """See `Target`."""
        if not isinstance(self.messaging.sink, QueueSink):
            return ""
        if self.messaging.sqs.broker.queue_by_arn(arn) is None:
            return _MISSING
        asked = (self.policies, "sqs:SendMessage", arn, bucket)
        return "" if not self.is_enforced or await _allows(*asked) else _DENIED

    async def tell(self, arn: str, bucket: Bucket, body: str, trace: str) -> None:
        """See `Target`."""
        await _check(self, arn, bucket)
        await self.messaging.sink.send(arn, body, {}, trace=trace)


@dataclass(frozen=True, slots=True)
class _Topics:
    """The same of topics."""

    messaging: Messaging
    policies: ResourcePolicies
    is_enforced: bool

    @property
    def _are_here(self) -> bool:
        return self.messaging.tell_topic == self.messaging.sns.deliver

    async def problem(self, arn: str, bucket: Bucket) -> str:
        """See `Target`."""
        if not self._are_here:
            return ""
        if not self.messaging.sns.has_topic(arn):
            return _MISSING
        asked = (self.policies, "sns:Publish", arn, bucket)
        return "" if not self.is_enforced or await _allows(*asked) else _DENIED

    async def tell(self, arn: str, bucket: Bucket, body: str, trace: str) -> None:
        """See `Target`."""
        await _check(self, arn, bucket)
        if self._are_here:
            await self.messaging.sns.announce(arn, _SUBJECT, body, trace)
            return
        about = (bucket.account, bucket.region, bucket.name)
        await self.messaging.tell_topic(Delivery("event", arn, "", *about, body.encode(), {}))


@dataclass(frozen=True, slots=True)
class _Bus:
    """The default bus of the bucket's account, which always takes what AWS's services tell."""

    emit: Emit

    async def problem(self, _arn: str, _bucket: Bucket) -> str:
        """See `Target`."""
        return ""

    async def tell(self, _arn: str, bucket: Bucket, body: str, _trace: str) -> None:
        """See `Target`."""
        await self.emit(bucket.account, bucket.region, orjson.loads(body))


def enter_targets(
    targets: Targets,
    entry: AsyncEntry,
    catalog: FunctionCatalog,
    messaging: Messaging,
    emit: Emit,
    mode: AuthMode,
) -> None:
    """Enter functions, queues, topics and buses among what buckets may tell."""
    is_enforced = mode is AuthMode.ENFORCED
    targets["lambda"] = _Functions(entry, catalog, is_enforced)
    queues = queue_policies(messaging.sqs.broker.queues)
    targets["eventbridge"] = _Bus(emit)
    targets["sqs"] = _Queues(messaging, queues, is_enforced)
    targets["sns"] = _Topics(messaging, topic_policies(messaging.sns.store), is_enforced)


async def _check(target: Target, arn: str, bucket: Bucket) -> None:
    problem = await target.problem(arn, bucket)
    if problem:
        raise CallerError("AccessDenied", problem, status=403)


async def _allows(policies: ResourcePolicies, action: str, arn: str, bucket: Bucket) -> bool:
    context = {
        "aws:sourcearn": (bucket.arn,),
        "aws:sourceaccount": (bucket.account,),
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": (_PRINCIPAL,),
    }
    request = Request(service(_PRINCIPAL), action, arn, arn.split(":")[4], context)
    return decide(request, Policies(resource=tuple(await policies(arn)))).is_allowed
