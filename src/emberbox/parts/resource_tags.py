"""The tags of what a request touches, as condition keys, for who decides about the request.

Each service tells of its own resources by the operation with which anybody lists their tags, so
that a decision knows what a client is shown.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from emberbox.errors import CallerError
from emberbox.model.request import Params, Reply, RequestContext, Service
from emberbox.storage.catalog import FunctionCatalog

Context = dict[str, Sequence[str]]
Listing = tuple[str, Params]
"""An operation that lists tags, and its request."""

_OF_OBJECTS: Final = frozenset(
    f"s3:{verb}Object{version}{part}"
    for version in ("", "Version")
    for verb, part in [
        ("Get", ""),
        ("Get", "Acl"),
        ("Get", "Attributes"),
        ("Get", "Tagging"),
        ("Put", "Acl"),
        ("Put", "Tagging"),
        ("Delete", "Tagging"),
    ]
)
"""Actions that have s3:ExistingObjectTag (Service Authorization Reference)."""

_IAM: Final = {
    "role": ("ListRoleTags", "RoleName"),
    "user": ("ListUserTags", "UserName"),
    "instance-profile": ("ListInstanceProfileTags", "InstanceProfileName"),
}
_IAM_BY_ARN: Final = {
    "policy": ("ListPolicyTags", "PolicyArn"),
    "oidc-provider": ("ListOpenIDConnectProviderTags", "OpenIDConnectProviderArn"),
}


def _iam(arn: str) -> Listing | None:
    kind, _, path = arn.split(":", 5)[5].partition("/")
    if kind in _IAM_BY_ARN:
        operation, member = _IAM_BY_ARN[kind]
        return operation, {member: arn}
    if kind not in _IAM:
        return None
    operation, member = _IAM[kind]
    return operation, {member: path.rpartition("/")[2]}


def _queue(arn: str) -> Listing | None:
    account, name = arn.split(":")[4:6]
    return "ListQueueTags", {"QueueUrl": f"http://queue/{account}/{name}"}


def _log_group(arn: str) -> Listing | None:
    parts = arn.split(":")
    if parts[5] != "log-group" or len(parts) < 7:
        return None
    return "ListTagsForResource", {"resourceArn": ":".join(parts[:7])}


def _by(member: str, *kinds: str) -> Callable[[str], Listing | None]:
    """ListTagsForResource by the ARN, of kinds of resources alone if some are named."""

    def listing(arn: str) -> Listing | None:
        resource = arn.split(":", 5)[5]
        if kinds and not resource.startswith(kinds):
            return None
        return "ListTagsForResource", {member: arn}

    return listing


_LISTINGS: Final[Mapping[str, Callable[[str], Listing | None]]] = {
    "application-autoscaling": _by("ResourceARN"),
    "cloudwatch": _by("ResourceARN", "alarm:"),
    "events": _by("ResourceARN", "rule/", "event-bus/"),
    "iam": _iam,
    "logs": _log_group,
    "scheduler": _by("ResourceArn", "schedule-group/"),
    "sns": _by("ResourceArn"),
    "sqs": _queue,
    "xray": _by("ResourceARN", "group/", "sampling-rule/"),
}
"""By the service of an ARN, which is the name of our service too."""

_OF_LAMBDA: Final = ("event-source-mapping:", "code-signing-config:", "capacity-provider:")


class ResourceTags:
    """The tags of everything that `services` keep. A resource that is not there has none."""

    def __init__(self, services: Sequence[Service], catalog: FunctionCatalog) -> None:
        self._services = {service.name: service for service in services}
        self._catalog = catalog

    async def context(self, action: str, arn: str, account: str, params: Params) -> Context:
        """The condition keys of a resource; `account` has it, `params` is the request."""
        parts = arn.split(":", 5)
        if len(parts) < 6 or "*" in arn:
            return {}
        of = parts[2]
        if of == "s3":
            return await self._of_s3(action, parts[5], account, params)
        if of == "lambda":
            return _resource_tags(await self._of_lambda(arn, parts))
        listing = _LISTINGS[of](arn) if of in _LISTINGS else None
        if listing is None:
            return {}
        tags = await self._listed(of, *listing, account, parts[3] or "us-east-1")
        own = {f"iam:resourcetag/{key.lower()}": (value,) for key, value in tags.items()}
        return _resource_tags(tags) | (own if of == "iam" else {})

    async def _of_lambda(self, arn: str, parts: Sequence[str]) -> Mapping[str, str]:
        kind, _, rest = parts[5].partition(":")
        if kind == "function":
            function = self._catalog.lookup(parts[4], parts[3], rest.partition(":")[0])
            return {} if function is None else function.tags
        if not parts[5].startswith(_OF_LAMBDA):
            return {}
        return await self._listed("lambda", "ListTags", {"Resource": arn}, parts[4], parts[3])

    async def _of_s3(self, action: str, resource: str, account: str, params: Params) -> Context:
        """Tags of objects. Those of a bucket do not count: no bucket can be told that they do."""
        bucket, _, key = resource.partition("/")
        if not key or action not in _OF_OBJECTS:
            return {}
        request = {"Bucket": bucket, "Key": key}
        if params.get("VersionId"):
            request["VersionId"] = params["VersionId"]
        tags = await self._listed("s3", "GetObjectTagging", request, account)
        return {f"s3:existingobjecttag/{name.lower()}": (tag,) for name, tag in tags.items()}

    async def _listed(
        self, service: str, operation: str, params: Params, account: str, region: str = "us-east-1"
    ) -> Mapping[str, str]:
        built = self._services.get(service)
        run = None if built is None else built.operations.get(operation)
        if run is None:
            return {}
        context = RequestContext(account, region, "", service, operation, "", "")
        try:
            answer = await run(context, params)
        except CallerError:
            return {}
        output = answer.output if isinstance(answer, Reply) else answer
        tags = output.get("Tags") or output.get("tags") or output.get("TagSet") or {}
        if isinstance(tags, Mapping):
            return tags
        return {tag["Key"]: tag["Value"] for tag in tags}


def _resource_tags(tags: Mapping[str, str]) -> Context:
    return {f"aws:resourcetag/{key.lower()}": (value,) for key, value in tags.items()}
