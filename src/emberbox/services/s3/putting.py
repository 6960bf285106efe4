"""PutObject."""

import base64
import binascii
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from emberbox.clock import Clock
from emberbox.errors import CallerError, EmberboxError
from emberbox.model.request import BodyStream, Operation, Params, RequestContext
from emberbox.model.s3_conditions import etag_matches
from emberbox.records import dataclass
from emberbox.services.s3 import checksums
from emberbox.services.s3.access import Access
from emberbox.services.s3.acl import canned
from emberbox.services.s3.errors import failed_condition, no_such_bucket, no_such_key, not_built
from emberbox.services.s3.keeping import Keeper, Received
from emberbox.services.s3.object_facts import (
    check_key,
    expiration,
    headers_of,
    lock_of,
    metadata_of,
    refuse_unbuilt,
    shown_checksums,
    storage_class,
    tags_of,
    version_shown,
)
from emberbox.services.s3.telling import Teller
from emberbox.storage.s3_buckets import BucketMissingError
from emberbox.storage.s3_objects import Check, ObjectStore
from emberbox.storage.s3_records import Facts, NewObject, ObjectVersion

_EVENTS = {"PostObject": "ObjectCreated:Post"}
_SHA256 = "SHA256"


@dataclass(frozen=True, slots=True)
class Checked:
    """A body that has arrived as its client said it would; `checksum` is what is kept of it."""

    received: Received
    algorithm: str

    @property
    def checksum(self) -> str:
        """In base64."""
        return checksums.text_of(self.received.digests[self.algorithm])


class Arrivals:
    """Takes bodies in and holds them against what was said of them."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def take(self, params: Params, algorithm: str = "") -> Checked:
        """The body of a request; CallerError, and nothing kept, if it is not what it should be.

        `algorithm` is computed in any case: the default one, unless the request names another.
        """
        stream = params.get("Body")
        given = checksums.given_checksums(params)
        named = checksums.wanted(params, stream)
        kept = algorithm or named or checksums.DEFAULT
        wanted = {kept, *given, *([named] if named else [])}
        md5 = _md5_of(params)
        sha256 = "" if stream is None else stream.sha256
        if sha256:
            wanted.add(_SHA256)
        received = await self._keeper.receive(_pieces(stream), sorted(wanted))
        try:
            if stream is not None:
                given |= checksums.trailing_checksums(stream)
            _check(received, given, md5, sha256)
        except CallerError:
            await self._keeper.drop(received)
            raise
        return Checked(received, kept)


class Putting:
    """See the module."""

    def __init__(
        self,
        access: Access,
        objects: ObjectStore,
        keeper: Keeper,
        arrivals: Arrivals,
        teller: Teller,
        clock: Clock,
    ) -> None:
        self._access = access
        self._objects = objects
        self._keeper = keeper
        self._arrivals = arrivals
        self._teller = teller
        self._clock = clock

    @property
    def operations(self) -> Mapping[str, Operation]:
        """By their names in the model."""
        return {"PutObject": self.put_object}

    async def put_object(self, context: RequestContext, params: Params) -> Params:
        """Store an object: all of it, or nothing."""
        bucket = self._access.bucket(context, params)
        key = params["Key"]
        check_key(key)
        refuse_unbuilt(params)
        check = write_condition(params)
        facts: dict[str, Any] = {
            "headers": headers_of(params),
            "metadata": metadata_of(params),
            "tags": tags_of(params),
            "acl": canned(bucket, params),
            **lock_of(bucket, params, self._clock.now()),
        }
        kind = storage_class(params)
        if "IfMatch" in params or "IfNoneMatch" in params:
            check(await self._objects.find(bucket, key, None))
        arrived = await self._arrivals.take(params)
        received = arrived.received
        new = NewObject(
            key,
            received.size,
            received.etag,
            Facts(
                **facts,
                checksums={arrived.algorithm: arrived.checksum},
                checksum_type=checksums.FULL,
            ),
            received.pieces,
            received.bodies,
            kind,
        )
        event = _EVENTS.get(context.operation, "ObjectCreated:Put")
        made = await stored(
            self._keeper,
            [received],
            self._objects.put(
                bucket.name, new, self._clock.now(), check, self._teller.notices(context, event)
            ),
            bucket.name,
        )
        return {
            "ETag": f'"{made.etag}"',
            "ServerSideEncryption": made.facts.headers["ServerSideEncryption"],
            **version_shown(bucket, made),
            **expiration(bucket, made),
            **shown_checksums(made.facts),
        }


async def stored(
    keeper: Keeper, received: Sequence[Received], putting: Any, bucket: str
) -> ObjectVersion:
    """Await the metadata of what was received; without it the bytes go, too."""
    try:
        made: ObjectVersion = await putting
    except BucketMissingError:
        await _drop(keeper, received)
        raise no_such_bucket(bucket) from None
    except EmberboxError:
        await _drop(keeper, received)
        raise
    for each in received:
        await keeper.settle(each)
    return made


def write_condition(params: Params) -> Check:
    """If-Match and If-None-Match of a write, to be held against what is there."""
    match, none_match = params.get("IfMatch"), params.get("IfNoneMatch")
    if none_match is not None and none_match.strip() != "*":
        raise not_built("If-None-Match with an entity tag for writes")

    def check(current: ObjectVersion | None) -> None:
        there = current is not None and not current.is_marker
        if none_match is not None and there:
            raise failed_condition("If-None-Match")
        if match is not None:
            if not there or current is None:
                raise no_such_key(params["Key"])
            if not etag_matches(match, current.etag):
                raise failed_condition("If-Match")

    return check


async def _drop(keeper: Keeper, received: Sequence[Received]) -> None:
    for each in received:
        await keeper.drop(each)


async def _pieces(stream: BodyStream | None) -> AsyncIterator[bytes]:
    if stream is not None:
        async for piece in stream:
            yield piece


def _md5_of(params: Params) -> bytes | None:
    text = params.get("ContentMD5")
    if text is None:
        return None
    try:
        found = base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != checksums.LENGTHS["MD5"]:
        raise CallerError("InvalidDigest", "The Content-MD5 you specified was invalid.", status=400)
    return found


def _check(received: Received, given: Mapping[str, bytes], md5: bytes | None, sha256: str) -> None:
    digests = received.digests
    if md5 is not None and digests["MD5"] != md5:
        text = "The Content-MD5 you specified did not match what we received."
        raise CallerError("BadDigest", text, status=400)
    if sha256 and digests[_SHA256].hex() != sha256:
        raise CallerError(
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
            status=400,
        )
    checksums.check(given, digests)
