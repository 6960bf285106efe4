"""The journal of usage: what has ended and is not in the database yet, for a server that is killed.

A record is copied into a mapped file, which costs no call of the kernel: it is in the page cache,
survives the end of this process and not of the machine. Each file is one generation. The database
keeps the number of the last generation it has got, in the same transaction: each is taken once.
"""

import logging
import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson

from emberbox.model.function import FunctionVersion
from emberbox.model.report import Measurement, Restored
from emberbox.model.usage import Subject, Usage, usage_of

log = logging.getLogger("emberbox.usage")

_HEADER: Final = struct.Struct("<II")
_FIRST_BYTES: Final = 256 << 10
_MOST_BYTES: Final = 64 << 20
"""Of one generation, which is ended long before."""

_RESTORED: Final = Measurement._fields.index("restored")


class UsageJournal:
    """See the module. The directory and its files are made when there is something to write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._map: mmap.mmap | None = None
        self._descriptor = -1
        self._at = 0
        self._size = 0
        self._named: dict[tuple[int, str], int] = {}
        self._kept: list[FunctionVersion] = []
        self._generation = 1
        self._is_whole = True
        self._is_failing = False

    def begin_after(self, generation: int) -> None:
        """Number new generations above this one and above all that exist."""
        self._generation = max([generation, *self._numbers()]) + 1

    def add(self, at: float, function: FunctionVersion, arn: str, measured: Measurement) -> None:
        """An invocation has ended."""
        number = self._named.get((id(function), arn))
        if number is None:
            number = self._name(function, arn)
        if number is not None:
            self._append(orjson.dumps((number, at, *measured), default=tuple))

    def rotate(self) -> tuple[int, bool]:
        """End this generation: its number, and whether all of it can be read again.

        What is added next belongs to another.
        """
        self.close()
        self._generation += 1
        is_whole, self._is_whole = self._is_whole, True
        return self._generation - 1, is_whole

    def read(self, generation: int) -> list[Usage]:
        """What a generation that has ended holds. May run in a thread."""
        return list(_usages(self._path(generation).read_bytes()))

    def close(self) -> None:
        """Let go of the current file."""
        if self._map is not None:
            self._map.close()
            self._map = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._named.clear()
        self._kept.clear()
        self._at = self._size = 0

    def discard(self, generation: int) -> None:
        """Remove the files of generations up to this one."""
        for number in self._numbers():
            if number <= generation and (number != self._generation or self._map is None):
                self._path(number).unlink(missing_ok=True)

    def discard_one(self, generation: int) -> None:
        """Remove the file of one generation that has ended, if that can be."""
        with suppress(OSError):
            self._path(generation).unlink()

    def left(self, committed: int) -> Iterator[tuple[int, list[Usage]]]:
        """What a former server has left of generations after `committed`, the oldest first."""
        for number in sorted(self._numbers()):
            if number > committed:
                yield number, self.read(number)

    # -- writing ------------------------------------------------------------------------------

    def _name(self, function: FunctionVersion, arn: str) -> int | None:
        """A number for a function and how it was called, told to the file once; None if the file
        has no room for it: nobody could say later what a record with such a number is of."""
        number = len(self._named)
        if not self._append(orjson.dumps((number, *Subject.of(function), arn))):
            return None
        self._named[id(function), arn] = number
        # An id says which function it is as long as that lives.
        self._kept.append(function)
        return number

    def _append(self, payload: bytes) -> bool:
        """Whether there was room."""
        end = self._at + _HEADER.size + len(payload)
        if (end > self._size and not self._grow(end)) or self._map is None:
            self._is_whole = False
            return False
        self._map[self._at : end] = _HEADER.pack(len(payload), zlib.crc32(payload)) + payload
        self._at = end
        return True

    def _grow(self, needed: int) -> bool:
        """Make room on disk first: what is mapped and has none would end the server."""
        size = max(_FIRST_BYTES, 2 * self._size)
        if size > _MOST_BYTES or needed > size:
            return False
        try:
            self._extend(size)
        except OSError as error:
            if not self._is_failing:
                log.warning("the journal of usage cannot be written, it is in memory: %s", error)
            self._is_failing = True
            return False
        self._is_failing = False
        self._size = size
        return True

    def _extend(self, size: int) -> None:
        if self._descriptor < 0:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            self._descriptor = os.open(self._path(self._generation), flags, 0o600)
        os.posix_fallocate(self._descriptor, 0, size)
        if self._map is None:
            self._map = mmap.mmap(self._descriptor, size)
        else:
            self._map.resize(size)

    def _numbers(self) -> list[int]:
        found = self._folder.glob("*.usage")
        return [int(path.stem) for path in found if path.stem.isdecimal()]

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.usage"


def _usages(content: bytes) -> Iterator[Usage]:
    """What a file holds, up to its end or its first damaged record."""
    names: dict[int, tuple[Subject, str]] = {}
    offset = 0
    while offset + _HEADER.size <= len(content):
        length, checksum = _HEADER.unpack_from(content, offset)
        offset += _HEADER.size
        payload = content[offset : offset + length]
        if not length or len(payload) < length or zlib.crc32(payload) != checksum:
            return
        offset += length
        try:
            usage = _usage(names, payload)
        except (ValueError, TypeError, IndexError) as error:
            log.warning("a generation of the journal of usage ends at a bad record: %r", error)
            return
        if usage is not None:
            yield usage


def _usage(names: dict[int, tuple[Subject, str]], payload: bytes) -> Usage | None:
    """The usage of a record; None for one that names what others are of."""
    number, *rest = orjson.loads(payload)
    if number not in names:
        subject = Subject(*rest[:-1])
        names[number] = (subject, subject.qualifier_in(rest[-1]))
        return None
    at, *fields = rest
    if fields[_RESTORED] is not None:
        fields[_RESTORED] = Restored(*fields[_RESTORED])
    return usage_of(*names[number], at, Measurement(*fields))
