"""Checksums of objects: which one a request asks for, how they are computed and put together.

awscrt, which has the algorithms that Python has not, is loaded with the first upload.
Source: S3 user guide, "Checking object integrity for data uploads".
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from emberbox.errors import CallerError
from emberbox.model.request import BodyStream, Params
from emberbox.services.s3.errors import invalid_request

DEFAULT: Final = "CRC64NVME"
"""What S3 computes for an object whose client names no algorithm."""

FULL: Final = "FULL_OBJECT"
COMPOSITE: Final = "COMPOSITE"

LENGTHS: Final[Mapping[str, int]] = {
    "CRC32": 4,
    "CRC32C": 4,
    "CRC64NVME": 8,
    "SHA1": 20,
    "SHA256": 32,
    "SHA512": 64,
    "MD5": 16,
    "XXHASH64": 8,
    "XXHASH3": 8,
    "XXHASH128": 16,
}
"""Algorithm -> bytes of its checksum."""

_CRCS: Final = frozenset({"CRC32", "CRC32C", "CRC64NVME"})
_HASHLIB: Final = frozenset({"SHA1", "SHA256", "SHA512", "MD5"})
_TRAILER: Final = "x-amz-checksum-"


class Hasher(Protocol):
    """A checksum as it is computed."""

    def update(self, data: bytes) -> None:
        """More bytes."""
        ...

    def digest(self) -> bytes:
        """The checksum, once, at the end."""
        ...


class _Crc:
    def __init__(self, algorithm: str) -> None:
        from awscrt import checksums  # noqa: PLC0415 - a tenth of a second that few starts need

        functions = {
            "CRC32": checksums.crc32,
            "CRC32C": checksums.crc32c,
            "CRC64NVME": checksums.crc64nvme,
        }
        self._function: Callable[[bytes, int], int] = functions[algorithm]
        self._length = LENGTHS[algorithm]
        self._value = 0

    def update(self, data: bytes) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._length, "big")


class _XxHash:
    def __init__(self, algorithm: str) -> None:
        from awscrt.checksums import XXHash  # noqa: PLC0415 - as above

        makers = {
            "XXHASH64": XXHash.new_xxhash64,
            "XXHASH3": XXHash.new_xxhash3_64,
            "XXHASH128": XXHash.new_xxhash3_128,
        }
        self._hash = makers[algorithm]()

    def update(self, data: bytes) -> None:
        self._hash.update(data)

    def digest(self) -> bytes:
        return bytes(self._hash.finalize())


def hasher(algorithm: str) -> Hasher:
    """A fresh one of an algorithm of `LENGTHS`."""
    if algorithm in _CRCS:
        return _Crc(algorithm)
    if algorithm in _HASHLIB:
        return hashlib.new(algorithm.lower(), usedforsecurity=False)
    return _XxHash(algorithm)


def given_checksums(params: Params) -> dict[str, bytes]:
    """The checksums in the headers of a request, by algorithm; CallerError for what is none."""
    return {
        name: read_checksum(name, params[f"Checksum{name}"])
        for name in LENGTHS
        if params.get(f"Checksum{name}") is not None
    }


def trailing_checksums(stream: BodyStream) -> dict[str, bytes]:
    """The same of the trailers of an upload."""
    return {
        name: read_checksum(name, stream.trailers[_TRAILER + name.lower()])
        for name in LENGTHS
        if _TRAILER + name.lower() in stream.trailers
    }


def wanted(params: Params, stream: BodyStream | None) -> str:
    """The algorithm that a request is checked by; empty if it names none."""
    given = [name for name in LENGTHS if params.get(f"Checksum{name}") is not None]
    announced = () if stream is None else stream.announced
    given += [name for name in LENGTHS if _TRAILER + name.lower() in announced]
    if len(given) > 1:
        raise invalid_request(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    named = params.get("ChecksumAlgorithm")
    if named is not None and named not in LENGTHS:
        raise invalid_request(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid "
            f"types: [{', '.join(LENGTHS)}]"
        )
    if given and named is not None and given[0] != named:
        raise invalid_request("Value for x-amz-sdk-checksum-algorithm header is invalid.")
    return given[0] if given else named or ""


def read_checksum(algorithm: str, text: str) -> bytes:
    """A checksum from its base64; CallerError if it cannot be one of the algorithm."""
    try:
        found = base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != LENGTHS[algorithm]:
        raise invalid_request(f"Value for x-amz-checksum-{algorithm.lower()} header is invalid.")
    return found


def check(given: Mapping[str, bytes], computed: Mapping[str, bytes]) -> None:
    """CallerError unless what was given is what was computed."""
    for algorithm, value in given.items():
        if computed.get(algorithm) != value:
            text = f"The {algorithm} you specified did not match the calculated checksum."
            raise CallerError("BadDigest", text, status=400)


def text_of(value: bytes) -> str:
    """In base64."""
    return base64.b64encode(value).decode()


def members(checksums: Mapping[str, str], kind: str = "") -> dict[str, Any]:
    """The members of an answer; `kind` is the ChecksumType, if that is to be said."""
    found: dict[str, Any] = {f"Checksum{name}": value for name, value in checksums.items()}
    return found | ({"ChecksumType": kind} if found and kind else {})


def type_of(algorithm: str, asked: str | None) -> str:
    """The kind of checksum of an upload in parts; CallerError where the algorithm has none such."""
    if asked == FULL and algorithm not in _CRCS:
        raise invalid_request(
            f"The FULL_OBJECT checksum type cannot be used with the {algorithm.lower()} checksum "
            "algorithm."
        )
    if asked == COMPOSITE and algorithm == DEFAULT:
        raise invalid_request(
            "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm."
        )
    return asked or (FULL if algorithm == DEFAULT else COMPOSITE)


def of_parts(algorithm: str, kind: str, parts: Sequence[tuple[bytes, int]]) -> str:
    """The checksum of an object from those of its parts, each with its size."""
    if kind == FULL:
        return text_of(_combined(algorithm, parts))
    whole = hasher(algorithm)
    for checksum, _ in parts:
        whole.update(checksum)
    return f"{text_of(whole.digest())}-{len(parts)}"


def _combined(algorithm: str, parts: Iterable[tuple[bytes, int]]) -> bytes:
    from awscrt import checksums  # noqa: PLC0415 - as above

    combine = {
        "CRC32": checksums.combine_crc32,
        "CRC32C": checksums.combine_crc32c,
        "CRC64NVME": checksums.combine_crc64nvme,
    }[algorithm]
    value = 0
    for checksum, size in parts:
        value = combine(value, int.from_bytes(checksum, "big"), size)
    return value.to_bytes(LENGTHS[algorithm], "big")
