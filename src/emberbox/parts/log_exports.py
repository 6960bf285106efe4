"""Exports of log groups to buckets, here or elsewhere, where the buckets let CloudWatch Logs in."""

from typing import Final

from emberbox.errors import CallerError
from emberbox.gateway.guard import ResourcePolicies
from emberbox.model.policy.evaluation import Policies, Request, decide
from emberbox.model.policy.principals import service
from emberbox.parts.ground import Ground
from emberbox.parts.logs import Logs
from emberbox.parts.objects import Objects
from emberbox.services.logs.naming import group_arn, invalid
from emberbox.settings import AuthMode
from emberbox.storage.log_records import GroupKey

_ACL: Final = "bucket-owner-full-control"
_FORBIDDEN: Final = 403
_NO_BUCKET: Final = "NoSuchBucket"
_REFUSED: Final = (
    "{} call on the given bucket failed. Please check if CloudWatch Logs has been granted "
    "permission to perform this operation."
)


def open_log_exports(ground: Ground, logs: Logs, objects: Objects) -> None:
    """Begin to carry out exports; the log service ends them."""
    is_asked = ground.settings.auth is AuthMode.ENFORCED and objects.are_here
    policies = objects.s3.policies.of if is_asked else None
    logs.service.exporter.open(LogBucket(objects, policies))


class LogBucket:
    """An `ExportBucket`. `policies` are those of buckets where they are enforced."""

    def __init__(self, objects: Objects, policies: ResourcePolicies | None) -> None:
        self._objects = objects
        self._policies = policies

    async def put(self, group: GroupKey, bucket: str, key: str, body: bytes) -> None:
        """See `ExportBucket`."""
        arn = f"arn:aws:s3:::{bucket}"
        if self._policies is not None:
            owner = self._objects.s3.policies.owner(arn)
            await self._check(self._policies, group, owner, "GetBucketAcl", arn)
            await self._check(self._policies, group, owner, "PutObject", f"{arn}/{key}")
        try:
            await self._objects.blobs.put(group.region, bucket, key, body, "application/x-gzip")
        except CallerError as error:
            if error.code == _NO_BUCKET:
                text = "The given bucket does not exist. Please provide a valid S3 bucket name."
            elif error.status == _FORBIDDEN:
                text = _REFUSED.format("PutObject")
            else:
                text = f"PutObject call on the given bucket failed: {error.message}"
            raise invalid(text) from None

    async def _check(
        self, policies: ResourcePolicies, group: GroupKey, owner: str, action: str, arn: str
    ) -> None:
        """CloudWatch Logs has two names; the policy may let in either."""
        names = ("logs.amazonaws.com", f"logs.{group.region}.amazonaws.com")
        found = Policies(resource=tuple(await policies(arn)))
        for name in names:
            context = {
                "aws:sourcearn": (group_arn(group),),
                "aws:sourceaccount": (group.account,),
                "aws:principalisawsservice": ("true",),
                "aws:principalservicename": (name,),
                "s3:x-amz-acl": (_ACL,),
            }
            request = Request(service(name), f"s3:{action}", arn, owner, context)
            if decide(request, found).is_allowed:
                return
        raise invalid(_REFUSED.format(action))
