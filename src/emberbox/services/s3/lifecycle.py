"""Does what the lifecycle configurations of buckets say, some times an hour."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.s3_lifecycle import Act, Facts, Rule, act, prefix_of, upload_is_due
from emberbox.rounds import Paced, Trouble
from emberbox.services.s3.deleting import check_lock
from emberbox.services.s3.object_facts import rules_of
from emberbox.services.s3.telling import Teller
from emberbox.storage.s3_buckets import BucketMissingError, BucketStore
from emberbox.storage.s3_objects import Check, ObjectStore
from emberbox.storage.s3_records import Bucket, ObjectVersion, upload_of, version_of
from emberbox.storage.s3_uploads import UploadMissingError, UploadStore
from emberbox.storage.s3_walking import Place

log = logging.getLogger("emberbox.s3")

_PAUSE_S: Final = 600.0
_PAGE: Final = 500


class Lifecycle:
    """See the module."""

    def __init__(
        self,
        buckets: BucketStore,
        objects: ObjectStore,
        uploads: UploadStore,
        teller: Teller,
        clock: Clock,
    ) -> None:
        self._buckets = buckets
        self._objects = objects
        self._uploads = uploads
        self._teller = teller
        self._clock = clock
        self._keeping = Paced(self.run, _PAUSE_S, Trouble(log, "lifecycles wait"))

    def open(self) -> None:
        """Begin."""
        self._keeping.open()

    async def close(self) -> None:
        """Stop."""
        await self._keeping.close()

    async def run(self) -> int:
        """Do what is due in every bucket; how many versions and uploads went."""
        count = 0
        for bucket in self._buckets.mirror:
            rules = rules_of(bucket)
            if not rules:
                continue
            with suppress(BucketMissingError):
                count += await self._expire(bucket, rules)
                count += await self._abort(bucket, rules)
        if count:
            log.info("%d versions and uploads were removed by lifecycles", count)
        return count

    async def _expire(self, bucket: Bucket, rules: Sequence[Rule]) -> int:
        now, count = self._clock.now(), 0
        batch: list[tuple[str, str | None, Check]] = []
        async for version, facts in self._versions(bucket, _common_prefix(rules)):
            what = act(rules, facts, now)
            if what is not None:
                named = version.version if what is Act.REMOVE else None
                batch.append((version.key, named, _still(version, now)))
            if len(batch) >= _PAGE:
                count += await self._delete(bucket, batch)
                batch = []
        return count + (await self._delete(bucket, batch) if batch else 0)

    async def _delete(self, bucket: Bucket, batch: list[tuple[str, str | None, Check]]) -> int:
        done = await self._objects.delete(
            bucket.name,
            batch,
            self._clock.now(),
            self._teller.of_lifecycle("LifecycleExpiration:Delete"),
            self._teller.of_lifecycle("LifecycleExpiration:DeleteMarkerCreated"),
        )
        return sum(not isinstance(each, CallerError) for each in done)

    async def _versions(
        self, bucket: Bucket, prefix: str
    ) -> AsyncIterator[tuple[ObjectVersion, Facts]]:
        """Every version with what rules look at; those of a key follow one another."""
        start: Place | None = Place(prefix)
        newer, count = None, 0
        held: ObjectVersion | None = None
        while start is not None:
            page = await self._objects.list_versions(bucket, prefix, "", start, _PAGE)
            for row in page.rows:
                version = version_of(row, bucket.id)
                if held is not None:
                    is_last = held.key != version.key
                    yield held, _facts(held, newer, count, is_last=is_last)
                    newer, count = (None, 0) if is_last else (held, count + 1)
                held = version
            start = Place(page.rows[-1]["key"], page.rows[-1]["id"]) if page.is_truncated else None
        if held is not None:
            yield held, _facts(held, newer, count, is_last=True)

    async def _abort(self, bucket: Bucket, rules: Sequence[Rule]) -> int:
        now, count = self._clock.now(), 0
        start: Place | None = Place("")
        while start is not None:
            page = await self._uploads.list(bucket, "", "", start, _PAGE)
            for row in page.rows:
                upload = upload_of(row)
                if upload_is_due(rules, upload.key, upload.begun, now):
                    with suppress(UploadMissingError):
                        await self._uploads.abort(bucket, upload.key, upload.id)
                        count += 1
            start = Place(page.rows[-1]["key"], page.rows[-1]["id"]) if page.is_truncated else None
        return count


def _facts(
    version: ObjectVersion, newer: ObjectVersion | None, count: int, *, is_last: bool
) -> Facts:
    """Of a version behind `count` others of its key, of which `newer` is next to it."""
    return Facts(
        version.key,
        version.size,
        version.facts.tags,
        version.modified,
        version.is_latest,
        version.is_marker,
        is_alone=is_last and newer is None,
        since=0.0 if newer is None else newer.modified,
        newer=max(0, count - 1),
    )


def _common_prefix(rules: Sequence[Rule]) -> str:
    prefixes = [prefix_of(rule) for rule in rules]
    first, last = min(prefixes), max(prefixes)
    same = next((n for n, c in enumerate(first) if n >= len(last) or last[n] != c), len(first))
    return first[:same]


def _still(seen: ObjectVersion, now: float) -> Check:
    """CallerError if it is another version by now, or locked."""

    def check(current: ObjectVersion | None) -> None:
        if current is None or current.number != seen.number:
            raise CallerError("PreconditionFailed", "replaced meanwhile", status=412)
        if not seen.is_latest or seen.is_marker:
            check_lock(current, now, bypass=False)

    return check
