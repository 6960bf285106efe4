"""Tags, ACLs, retention and legal holds of objects."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from emberbox.clock import Clock, utc
from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.s3.access import Access
from emberbox.services.s3.acl import (
    ENFORCED,
    allowed_grants,
    default_grants,
    owner,
    ownership,
    unsupported,
)
from emberbox.services.s3.errors import (
    access_denied,
    invalid_request,
    malformed_xml,
    no_such_bucket,
    no_such_key,
    no_such_version,
)
from emberbox.services.s3.object_facts import HOLDS, LOCK_MODES, checked_tags, version_shown
from emberbox.services.s3.reading import Reading
from emberbox.services.s3.telling import Teller
from emberbox.storage.s3_buckets import BucketMissingError
from emberbox.storage.s3_objects import ObjectStore
from emberbox.storage.s3_records import Bucket, Facts, ObjectVersion


class ObjectSettings:
    """See the module."""

    def __init__(
        self, access: Access, objects: ObjectStore, reading: Reading, teller: Teller, clock: Clock
    ) -> None:
        self._access = access
        self._objects = objects
        self._reading = reading
        self._teller = teller
        self._clock = clock

    @property
    def operations(self) -> Mapping[str, Operation]:
        """By their names in the model."""
        return {
            "DeleteObjectTagging": self.delete_object_tagging,
            "GetObjectAcl": self.get_object_acl,
            "GetObjectLegalHold": self.get_object_legal_hold,
            "GetObjectRetention": self.get_object_retention,
            "GetObjectTagging": self.get_object_tagging,
            "PutObjectAcl": self.put_object_acl,
            "PutObjectLegalHold": self.put_object_legal_hold,
            "PutObjectRetention": self.put_object_retention,
            "PutObjectTagging": self.put_object_tagging,
        }

    async def get_object_tagging(self, context: RequestContext, params: Params) -> Params:
        """The tags of a version."""
        bucket, version = await self._found(context, params)
        tags = [{"Key": name, "Value": value} for name, value in version.facts.tags.items()]
        return {"TagSet": tags, **version_shown(bucket, version)}

    async def put_object_tagging(self, context: RequestContext, params: Params) -> Params:
        """Replace the tags of a version."""
        pairs = [(tag["Key"], tag["Value"]) for tag in params["Tagging"]["TagSet"]]
        tags = checked_tags(pairs)
        event = "ObjectTagging:Put"
        return await self._alter(context, params, lambda facts: replace(facts, tags=tags), event)

    async def delete_object_tagging(self, context: RequestContext, params: Params) -> Params:
        """Remove the tags of a version."""
        event = "ObjectTagging:Delete"
        return await self._alter(context, params, lambda facts: replace(facts, tags={}), event)

    async def get_object_acl(self, context: RequestContext, params: Params) -> Params:
        """Who has been granted what."""
        bucket, version = await self._found(context, params)
        grants = version.facts.acl
        if grants is None or ownership(bucket) == ENFORCED:
            grants = default_grants(bucket)
        return {"Owner": owner(bucket.account), "Grants": list(grants)}

    async def put_object_acl(self, context: RequestContext, params: Params) -> Params:
        """Replace what is granted, in a bucket that has ACLs."""
        bucket = self._access.bucket(context, params)
        if ownership(bucket) == ENFORCED:
            raise unsupported()
        grants = allowed_grants(bucket, params)
        event = "ObjectAcl:Put"
        await self._alter(context, params, lambda facts: replace(facts, acl=grants), event)
        return {}

    async def get_object_retention(self, context: RequestContext, params: Params) -> Params:
        """Until when a version is kept."""
        bucket, version = await self._found(context, params)
        _check_locked(bucket)
        retention = version.facts.retention
        if not retention:
            raise _no_lock()
        date = datetime.fromisoformat(retention["RetainUntilDate"])
        return {"Retention": {"Mode": retention["Mode"], "RetainUntilDate": date}}

    async def put_object_retention(self, context: RequestContext, params: Params) -> Params:
        """Keep a version until a date; it may be made longer, and shorter only in governance."""
        bucket = self._access.bucket(context, params)
        _check_locked(bucket)
        asked = params.get("Retention") or {}
        mode, until = asked.get("Mode"), asked.get("RetainUntilDate")
        if bool(mode) != bool(until) or (mode and mode not in LOCK_MODES):
            raise malformed_xml()
        if until is not None and until <= utc(self._clock.now()):
            raise invalid_request("The retain until date must be in the future!")
        wanted = {"Mode": mode, "RetainUntilDate": until.isoformat()} if until else None
        bypass = bool(params.get("BypassGovernanceRetention"))
        now = self._clock.now()

        def change(facts: Facts) -> Facts:
            _check_longer(facts.retention, wanted, now, bypass=bypass)
            return replace(facts, retention=wanted)

        await self._alter(context, params, change, "ObjectRetention:Put")
        return {}

    async def get_object_legal_hold(self, context: RequestContext, params: Params) -> Params:
        """Whether a version is held."""
        bucket, version = await self._found(context, params)
        _check_locked(bucket)
        if not version.facts.legal_hold:
            raise _no_lock()
        return {"LegalHold": {"Status": version.facts.legal_hold}}

    async def put_object_legal_hold(self, context: RequestContext, params: Params) -> Params:
        """Hold a version, or let it go."""
        _check_locked(self._access.bucket(context, params))
        status = (params.get("LegalHold") or {}).get("Status")
        if status not in HOLDS:
            raise malformed_xml()
        await self._alter(context, params, lambda facts: replace(facts, legal_hold=status), "")
        return {}

    async def _found(self, context: RequestContext, params: Params) -> tuple[Bucket, ObjectVersion]:
        bucket = self._access.bucket(context, params)
        return bucket, await self._reading.version(bucket, params)

    async def _alter(
        self,
        context: RequestContext,
        params: Params,
        change: Callable[[Facts], Facts],
        event: str,
    ) -> Params:
        bucket = self._access.bucket(context, params)
        key, asked = params["Key"], params.get("VersionId")

        def changed(found: ObjectVersion | None) -> Facts:
            if found is None or found.is_marker:
                raise no_such_version(key, asked) if asked else no_such_key(key)
            return change(found.facts)

        try:
            made = await self._objects.alter(
                bucket.name, key, asked, changed, self._teller.notices(context, event)
            )
        except BucketMissingError:
            raise no_such_bucket(bucket.name) from None
        return version_shown(bucket, made)


def _check_locked(bucket: Bucket) -> None:
    if bucket.settings.get("ObjectLock") is None:
        raise invalid_request("Bucket is missing Object Lock Configuration")


def _no_lock() -> CallerError:
    text = "The specified object does not have a ObjectLock configuration"
    return CallerError("NoSuchObjectLockConfiguration", text, status=404)


def _check_longer(
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    now: float,
    *,
    bypass: bool,
) -> None:
    """CallerError for a retention that ends earlier than the one that holds."""
    if before is None or datetime.fromisoformat(before["RetainUntilDate"]) <= utc(now):
        return
    is_longer = after is not None and datetime.fromisoformat(
        after["RetainUntilDate"]
    ) >= datetime.fromisoformat(before["RetainUntilDate"])
    is_same = after is not None and after["Mode"] == before["Mode"]
    if is_longer and (is_same or before["Mode"] == "GOVERNANCE"):
        return
    if before["Mode"] == "COMPLIANCE" or not bypass:
        raise access_denied("Access Denied because object protected by object lock.")
