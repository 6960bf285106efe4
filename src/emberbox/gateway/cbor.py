"""CBOR (RFC 8949) as Smithy's RPC protocol uses it: bytes <-> plain values, hostile input bounded.

Timestamps are tag 1; a decoder that meets one gives the number it holds.
"""

import struct
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from emberbox.gateway.scalars import to_epoch
from emberbox.gateway.wire import DEPTH_MAX, MalformedError, OutputError
from emberbox.records import dataclass

_INDEFINITE: Final = 31
_BREAK: Final = 0xFF
_SIMPLE: Final = {20: False, 21: True, 22: None, 23: None}
_CONSTANTS: Final = {None: b"\xf6", False: b"\xf4", True: b"\xf5"}
_FLOATS: Final = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}
_LENGTHS: Final = {24: 1, 25: 2, 26: 4, 27: 8}


def loads(body: bytes) -> Any:
    """The value of one whole item; MalformedError for anything else."""
    reader = _Reader(body)
    value = reader.item(0)
    if reader.at != len(body):
        raise MalformedError("there is more after the document")
    return value


def dumps(value: Any) -> bytes:
    """The bytes of a value: None, booleans, numbers, text, bytes, lists, dicts, datetimes."""
    pieces: list[bytes] = []
    _write(value, pieces)
    return b"".join(pieces)


@dataclass(slots=True)
class _Reader:
    body: bytes
    at: int = 0

    def item(self, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise MalformedError("the document is nested too deeply")
        first = self._take(1)[0]
        read = _MAJORS[first >> 5]
        return read(self, first & 31, depth)

    def _take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.body):
            raise MalformedError("the document ends too early")
        piece = self.body[self.at : end]
        self.at = end
        return piece

    def positive(self, info: int, _depth: int) -> int:
        return self._number(info)

    def negative(self, info: int, _depth: int) -> int:
        return -1 - self._number(info)

    def _number(self, info: int) -> int:
        if info < 24:
            return info
        if info not in _LENGTHS:
            raise MalformedError(f"{info} does not announce a length")
        return int.from_bytes(self._take(_LENGTHS[info]), "big")

    def byte_string(self, info: int, _depth: int) -> bytes:
        return self._string(info, 2)

    def _string(self, info: int, major: int) -> bytes:
        if info != _INDEFINITE:
            return self._take(self._number(info))
        pieces = []
        while not self._at_break():
            first = self._take(1)[0]
            if first >> 5 != major or first & 31 == _INDEFINITE:
                raise MalformedError("a string has pieces of another kind")
            pieces.append(self._take(self._number(first & 31)))
        return b"".join(pieces)

    def text(self, info: int, _depth: int) -> str:
        try:
            return self._string(info, 3).decode()
        except UnicodeDecodeError as error:
            raise MalformedError(str(error)) from None

    def array(self, info: int, depth: int) -> list[Any]:
        if info == _INDEFINITE:
            items = []
            while not self._at_break():
                items.append(self.item(depth + 1))
            return items
        return [self.item(depth + 1) for _ in range(self._count(info))]

    def mapping(self, info: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if info == _INDEFINITE:
            while not self._at_break():
                self._entry(found, depth)
            return found
        for _ in range(self._count(info)):
            self._entry(found, depth)
        return found

    def _entry(self, found: dict[str, Any], depth: int) -> None:
        key = self.item(depth + 1)
        if not isinstance(key, str):
            raise MalformedError("a key is not text")
        found[key] = self.item(depth + 1)

    def _count(self, info: int) -> int:
        """How many items follow: each takes a byte at least."""
        count = self._number(info)
        if count > len(self.body) - self.at:
            raise MalformedError("the document ends too early")
        return count

    def _at_break(self) -> bool:
        if self.at < len(self.body) and self.body[self.at] == _BREAK:
            self.at += 1
            return True
        return False

    def tagged(self, info: int, depth: int) -> Any:
        self._number(info)
        return self.item(depth + 1)

    def simple(self, info: int, _depth: int) -> Any:
        if info in _SIMPLE:
            return _SIMPLE[info]
        if info not in _FLOATS:
            raise MalformedError(f"there is no simple value {info}")
        layout, size = _FLOATS[info]
        return struct.unpack(layout, self._take(size))[0]


_MAJORS: Final[tuple[Callable[[_Reader, int, int], Any], ...]] = (
    _Reader.positive,
    _Reader.negative,
    _Reader.byte_string,
    _Reader.text,
    _Reader.array,
    _Reader.mapping,
    _Reader.tagged,
    _Reader.simple,
)


def _write(value: Any, pieces: list[bytes]) -> None:
    match value:
        case list():
            pieces.append(_head(4, len(value)))
            for each in value:
                _write(each, pieces)
        case dict():
            pieces.append(_head(5, len(value)))
            for key, each in value.items():
                pieces.append(_scalar(key))
                _write(each, pieces)
        case datetime():
            pieces.append(b"\xc1")
            pieces.append(_scalar(float(to_epoch(value))))
        case _:
            pieces.append(_scalar(value))


def _scalar(value: Any) -> bytes:
    match value:
        case None | bool():
            return _CONSTANTS[value]
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case float():
            return struct.pack(">Bd", 0xFB, value)
        case str():
            text = value.encode()
            return _head(3, len(text)) + text
        case bytes():
            return _head(2, len(value)) + value
        case _:
            raise OutputError(f"{type(value).__name__} cannot be written as CBOR")


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes((major << 5 | number,))
    for info, size in _LENGTHS.items():
        if number < 1 << 8 * size:
            return bytes((major << 5 | info,)) + number.to_bytes(size, "big")
    raise OutputError(f"{number} is too large for CBOR")
