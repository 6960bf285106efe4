"""The journal of log events: numbered append-only files that outlive a killed server.

What is written here is in the kernel's page cache, so it survives the end of this process but not
of the machine. A segment begins with no knowledge of the ones before it, so each can be deleted
alone. A record that is cut short or damaged ends its segment.
"""

import json
import logging
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from emberbox.model.log_events import Slice, StreamKey, slices, unpack

_HEADER = struct.Struct("<IIBI")
_HEAD_OF_SUM = struct.Struct("<BI")
_NAMES = 1
_EVENTS = 2
_SUFFIX = ".journal"

_log = logging.getLogger(__name__)


class Journal:
    """The segments of one directory; one process writes to them.

    Writing raises OSError and leaves what is there readable; the caller should `finish` the segment
    then, since records behind a torn one are lost.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._descriptor: int | None = None
        self._current = 0
        self._named: dict[StreamKey, tuple[int, int]] = {}

    def begin_after(self, covered: int) -> None:
        """Number new segments above `covered` and above all that exist."""
        self._current = max([covered, *self.segments()]) + 1

    def segments(self) -> list[int]:
        """The numbers of the segments that exist, lowest first."""
        names = (path.name.removesuffix(_SUFFIX) for path in self._folder.glob(f"*{_SUFFIX}"))
        return sorted(int(name) for name in names if name.isdecimal())

    @property
    def current(self) -> int:
        """The number of the segment that is written to next."""
        return self._current

    def write(self, parts: Iterable[Slice]) -> None:
        """Append slices to the current segment."""
        records: list[bytes] = []
        for part in parts:
            named = self._named.get(part.stream)
            if named is None:
                number = len(self._named)
                named = self._named[part.stream] = (number, _sum_of_head(_EVENTS, number))
                name = json.dumps(part.stream).encode()
                records.append(_record(_NAMES, number, name, _sum_of_head(_NAMES, number)))
            records.append(_record(_EVENTS, named[0], part.payload, named[1]))
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self._path(self._current), flags, 0o600)
        rest = memoryview(b"".join(records))
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def finish(self) -> int:
        """End the current segment and return its number; the next write begins another."""
        finished = self._current
        self.close()
        self._current += 1
        return finished

    def discard(self, up_to: int) -> None:
        """Delete the segments up to this number."""
        for number in self.segments():
            if number <= up_to and number != self._current:
                self._path(number).unlink(missing_ok=True)

    def replay(self, number: int) -> list[Slice]:
        """What a segment holds, up to its end or its first damaged record."""
        streams: dict[int, StreamKey] = {}
        found: list[Slice] = []
        for kind, stream, payload in _records(self._path(number).read_bytes()):
            try:
                if kind == _NAMES:
                    streams[stream] = StreamKey(*json.loads(payload))
                else:
                    found += slices(streams[stream], unpack(payload))
            except (ValueError, TypeError, KeyError) as error:
                _log.warning("the journal's segment %d ends at a bad record: %r", number, error)
                break
        return found

    def close(self) -> None:
        """Let go of the current segment's file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._named.clear()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}{_SUFFIX}"


def _record(kind: int, stream: int, payload: bytes, sum_of_head: int) -> bytes:
    return _HEADER.pack(len(payload), zlib.crc32(payload, sum_of_head), kind, stream) + payload


def _sum_of_head(kind: int, stream: int) -> int:
    return zlib.crc32(_HEAD_OF_SUM.pack(kind, stream))


def _records(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    offset = 0
    while offset + _HEADER.size <= len(content):
        length, checksum, kind, stream = _HEADER.unpack_from(content, offset)
        offset += _HEADER.size
        payload = content[offset : offset + length]
        if len(payload) < length:
            return
        if zlib.crc32(payload, _sum_of_head(kind, stream)) != checksum:
            return
        yield kind, stream, payload
        offset += length
