"""DeleteObject and DeleteObjects."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from emberbox.clock import Clock, utc
from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.s3_conditions import etag_matches
from emberbox.services.s3.access import Access
from emberbox.services.s3.errors import (
    access_denied,
    failed_condition,
    malformed_xml,
    no_such_bucket,
)
from emberbox.services.s3.telling import Teller
from emberbox.storage.s3_buckets import BucketMissingError
from emberbox.storage.s3_objects import Check, Deleted, ObjectStore
from emberbox.storage.s3_records import Bucket, ObjectVersion

_AT_ONCE: Final = 1_000
_HELD: Final = "Access Denied because object protected by object lock."


class Deleting:
    """See the module."""

    def __init__(self, access: Access, objects: ObjectStore, teller: Teller, clock: Clock) -> None:
        self._access = access
        self._objects = objects
        self._teller = teller
        self._clock = clock

    @property
    def operations(self) -> Mapping[str, Operation]:
        """By their names in the model."""
        return {"DeleteObject": self.delete_object, "DeleteObjects": self.delete_objects}

    async def delete_object(self, context: RequestContext, params: Params) -> Params:
        """Remove an object, or hide it behind a marker; one that is not there is no error."""
        bucket = self._access.bucket(context, params)
        (done,) = await self._delete(context, bucket, [params], params)
        if isinstance(done, CallerError):
            raise done
        return _shown(bucket, done)

    async def delete_objects(self, context: RequestContext, params: Params) -> Params:
        """The same for up to a thousand, each with an answer of its own."""
        bucket = self._access.bucket(context, params)
        wanted = params["Delete"].get("Objects") or []
        if not 0 < len(wanted) <= _AT_ONCE:
            raise malformed_xml()
        deleted, errors = [], []
        allowed = [await self._may(context, bucket, each, params) for each in wanted]
        mine = [each for each, is_mine in zip(wanted, allowed, strict=True) if is_mine]
        results = iter(await self._delete(context, bucket, mine, params) if mine else ())
        for each, is_mine in zip(wanted, allowed, strict=True):
            done = next(results) if is_mine else access_denied()
            named = {"Key": each["Key"]}
            if each.get("VersionId"):
                named["VersionId"] = each["VersionId"]
            if isinstance(done, CallerError):
                errors.append({**named, "Code": done.code, "Message": done.message})
            else:
                deleted.append(named | _listed(done))
        output: Params = {}
        if deleted and not params["Delete"].get("Quiet"):
            output["Deleted"] = deleted
        if errors:
            output["Errors"] = errors
        return output

    async def _may(
        self, context: RequestContext, bucket: Bucket, wanted: Params, params: Params
    ) -> bool:
        arn = f"{bucket.arn}/{wanted['Key']}"
        action = "s3:DeleteObjectVersion" if wanted.get("VersionId") else "s3:DeleteObject"
        actions = [action]
        if params.get("BypassGovernanceRetention"):
            actions.append("s3:BypassGovernanceRetention")
        return all([await context.may(each, arn, wanted) for each in actions])

    async def _delete(
        self, context: RequestContext, bucket: Bucket, wanted: list[Params], params: Params
    ) -> list[Deleted | CallerError]:
        bypass = bool(params.get("BypassGovernanceRetention"))
        now = self._clock.now()
        targets = [
            (each["Key"], each.get("VersionId"), _check(each, now, bypass=bypass))
            for each in wanted
        ]
        try:
            return await self._objects.delete(
                bucket.name,
                targets,
                now,
                self._teller.notices(context, "ObjectRemoved:Delete"),
                self._teller.notices(context, "ObjectRemoved:DeleteMarkerCreated"),
            )
        except BucketMissingError:
            raise no_such_bucket(bucket.name) from None


def check_lock(version: ObjectVersion, now: float, *, bypass: bool) -> None:
    """CallerError for a version that is locked."""
    if version.facts.legal_hold == "ON":
        raise access_denied(_HELD)
    retention = version.facts.retention
    if not retention or datetime.fromisoformat(retention["RetainUntilDate"]) <= utc(now):
        return
    if retention["Mode"] == "COMPLIANCE" or not bypass:
        raise access_denied(_HELD)


def _check(wanted: Params, now: float, *, bypass: bool) -> Check:
    """What stands against a delete: a lock on the version, or a condition that does not hold."""
    match = wanted.get("IfMatch") or wanted.get("ETag")

    def check(current: ObjectVersion | None) -> None:
        if current is not None and wanted.get("VersionId"):
            check_lock(current, now, bypass=bypass)
        if match is not None and (
            current is None or current.is_marker or not etag_matches(match, current.etag)
        ):
            raise failed_condition("If-Match")

    return check


def _shown(bucket: Bucket, done: Deleted) -> Params:
    if done.marker is not None:
        return {"DeleteMarker": True, "VersionId": done.marker.version}
    if done.removed is None or not bucket.versioning:
        return {}
    output: Params = {"VersionId": done.removed.version}
    return output | ({"DeleteMarker": True} if done.removed.is_marker else {})


def _listed(done: Deleted) -> Params:
    marker = done.marker or (done.removed if done.removed and done.removed.is_marker else None)
    if marker is None:
        return {}
    return {"DeleteMarker": True, "DeleteMarkerVersionId": marker.version}
