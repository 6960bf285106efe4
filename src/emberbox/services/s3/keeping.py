"""Bytes of objects on their way to the disk and back: hashed, synced, streamed, swept up.

Memory is flat in both directions: a few pieces an upload or a download.
"""

import asyncio
import hashlib
import logging
import os
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any, Final

from emberbox.records import dataclass
from emberbox.rounds import Trouble, until_done
from emberbox.services.s3.checksums import Hasher, hasher
from emberbox.storage.blob_files import SMALL_BYTES, BlobFiles, BlobWriter
from emberbox.storage.database import Change, Database, Transaction
from emberbox.storage.s3_blobs import GARBAGE
from emberbox.storage.s3_objects import ObjectStore
from emberbox.storage.s3_records import ObjectVersion, Piece

log = logging.getLogger("emberbox.s3")

_BATCH_BYTES: Final = 1 << 20
_THREADS: Final = 4
_SWEPT_AT_ONCE: Final = 1_000
_SWEEP_PAUSE_S: Final = 1.0
_NO_BODIES: Final[Mapping[str, bytes]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Received:
    """A body that is on disk, or small and in memory, but that no metadata names yet."""

    blob: str
    size: int
    body: bytes | None
    digests: Mapping[str, bytes]

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What it is made of: nothing if it is empty."""
        return (Piece(self.blob, 0, self.size),) if self.size else ()

    @property
    def bodies(self) -> Mapping[str, bytes | None]:
        """The new blobs."""
        return {self.blob: self.body} if self.size else {}

    @property
    def etag(self) -> str:
        """The MD5 in hexadecimal."""
        return self.digests["MD5"].hex()


class Digests:
    """Several checksums of the same bytes; MD5 is always among them."""

    def __init__(self, algorithms: Sequence[str]) -> None:
        self._all: dict[str, Hasher] = {
            "MD5": hashlib.md5(usedforsecurity=False),
            **{name: hasher(name) for name in algorithms if name != "MD5"},
        }

    def update(self, data: bytes) -> None:
        """More bytes."""
        for each in self._all.values():
            each.update(data)

    def finish(self) -> dict[str, bytes]:
        """All of them, at the end."""
        return {name: each.digest() for name, each in self._all.items()}


class Keeper:
    """See the module. `open` clears up after a server that was killed."""

    def __init__(self, files: BlobFiles, objects: ObjectStore, database: Database) -> None:
        self._files = files
        self._objects = objects
        self._database = database
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3-bytes")
        self._in_use: Counter[str] = Counter()
        self._is_held = False
        self._wake = asyncio.Event()
        self._clean = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        database.subscribe(self._changed)

    async def open(self) -> None:
        """Remove what a server that was killed has left, and begin to sweep."""
        left = await asyncio.to_thread(list, self._files.unsettled())
        for name in left:
            known = await self._objects.has_blob(name)
            await asyncio.to_thread(self._files.settle if known else self._files.remove, name)
        self._task = asyncio.get_running_loop().create_task(self._sweep())
        self._wake.set()

    async def close(self) -> None:
        """Stop; what is not swept up is remembered."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await asyncio.to_thread(self._pool.shutdown)

    async def swept(self) -> None:
        """Until no file is left that nobody uses; for tests."""
        await self._clean.wait()

    async def receive(self, source: AsyncIterable[bytes], algorithms: Sequence[str]) -> Received:
        """Take a body in; durable on return. What the source raises leaves nothing behind."""
        loop = asyncio.get_running_loop()
        digests, writer = Digests(algorithms), self._files.begin()
        batch = bytearray()
        working: asyncio.Future[None] | None = None
        try:
            async for piece in source:
                batch += piece
                if len(batch) >= _BATCH_BYTES:
                    if working is not None:
                        await working
                    working = loop.run_in_executor(self._pool, _take, writer, digests, bytes(batch))
                    batch.clear()
            if working is not None:
                await working
            if writer.size + len(batch) <= SMALL_BYTES:
                return _finish(writer, digests, bytes(batch))
            work = loop.run_in_executor(self._pool, _finish, writer, digests, bytes(batch))
            working = asyncio.ensure_future(_no_result(work))
            return await asyncio.shield(work)
        except BaseException:
            if working is not None:
                await asyncio.wait({working})
            await loop.run_in_executor(self._pool, writer.drop)
            raise

    async def settle(self, received: Received) -> None:
        """What was received is named by metadata now."""
        if received.body is None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._pool, self._files.settle, received.blob)

    async def drop(self, received: Received) -> None:
        """What was received is not wanted."""
        if received.body is None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._pool, self._files.remove, received.blob)

    @contextmanager
    def using(self, pieces: Sequence[Piece]) -> Iterator[None]:
        """Keep the files of pieces while they are read, whatever becomes of their objects."""
        names = [piece.blob for piece in pieces]
        self._in_use.update(names)
        try:
            yield
        finally:
            self._in_use.subtract(names)
            for name in names:
                if not self._in_use[name]:
                    del self._in_use[name]
            if self._is_held:
                self._wake.set()

    async def read(
        self,
        pieces: Sequence[Piece],
        start: int,
        end: int,
        bodies: Mapping[str, bytes] = _NO_BODIES,
    ) -> AsyncIterator[bytes]:
        """Bytes from `start` up to `end`, in pieces; `bodies` are small blobs that are at hand.

        BlobGoneError or OSError if the others are gone.
        """
        with self.using(pieces):
            for piece in cut(pieces, start, end):
                async for data in self._read_one(piece, bodies):
                    yield data

    async def digests(
        self,
        pieces: Sequence[Piece],
        size: int,
        algorithms: Sequence[str],
        bodies: Mapping[str, bytes] = _NO_BODIES,
    ) -> dict[str, bytes]:
        """Checksums of bytes that are here, MD5 among them; errors as of `read`."""
        loop, digests = asyncio.get_running_loop(), Digests(algorithms)
        async for data in self.read(pieces, 0, size, bodies):
            await loop.run_in_executor(self._pool, digests.update, data)
        return digests.finish()

    async def _read_one(self, piece: Piece, bodies: Mapping[str, bytes]) -> AsyncIterator[bytes]:
        body = bodies.get(piece.blob)
        if body is None:
            body = await self._objects.body(piece.blob)
        if body is not None:
            yield body[piece.start : piece.start + piece.size]
            return
        loop = asyncio.get_running_loop()
        descriptor = await loop.run_in_executor(self._pool, self._files.open, piece.blob)
        try:
            at, end = piece.start, piece.start + piece.size
            while at < end:
                wanted = min(_BATCH_BYTES, end - at)
                data = await loop.run_in_executor(self._pool, os.pread, descriptor, wanted, at)
                if not data:
                    raise OSError(f"blob {piece.blob} is shorter than it was")
                at += len(data)
                yield data
        finally:
            os.close(descriptor)

    def _changed(self, change: Change) -> None:
        if change.kind == GARBAGE:
            self._clean.clear()
            self._wake.set()

    async def _sweep(self) -> None:
        trouble = Trouble(log, "files of removed objects stay for now")
        while True:
            await self._wake.wait()
            # Who has read the metadata just before has this long to say that it reads the bytes.
            await asyncio.sleep(_SWEEP_PAUSE_S)
            self._wake.clear()
            await until_done(self._sweep_once, trouble)
            if not self._wake.is_set():
                self._clean.set()

    async def _sweep_once(self) -> None:
        def look(tx: Transaction) -> list[str]:
            return [row["blob"] for row in tx.all("garbage", limit=_SWEPT_AT_ONCE)]

        found = await self._database.read(look)
        gone = [name for name in found if not self._in_use[name]]
        self._is_held = len(gone) < len(found)
        if not gone:
            return
        await asyncio.to_thread(self._files.remove_all, gone)

        def forget(tx: Transaction) -> None:
            tx.run_many("garbage_remove", ({"blob": name} for name in gone))

        await self._database.write(forget)
        if len(found) == _SWEPT_AT_ONCE:
            self._wake.set()


def cut(pieces: Sequence[Piece], start: int, end: int) -> Iterator[Piece]:
    """The pieces that hold the bytes from `start` up to `end` of what they make together."""
    at = 0
    for piece in pieces:
        first, last = max(start, at), min(end, at + piece.size)
        if first < last:
            yield Piece(piece.blob, piece.start + first - at, last - first)
        at += piece.size


def _take(writer: BlobWriter, digests: Digests, data: bytes) -> None:
    writer.write(data)
    digests.update(data)


def _finish(writer: BlobWriter, digests: Digests, data: bytes) -> Received:
    if data:
        _take(writer, digests, data)
    return Received(writer.name, writer.size, writer.finish(), digests.finish())


async def _no_result(work: "asyncio.Future[Any]") -> None:
    await asyncio.wait({work})


def small(version: ObjectVersion) -> bytes | None:
    """All bytes of a version that was asked for with its small blobs, if it is one of these."""
    if not version.pieces:
        return b""
    piece = version.pieces[0]
    body = version.bodies.get(piece.blob) if len(version.pieces) == 1 else None
    return None if body is None else body[piece.start : piece.start + piece.size]
