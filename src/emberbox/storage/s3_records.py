"""Buckets, object versions and uploads as values, and their rows."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import field
from json import dumps, loads
from typing import Any, Final, NamedTuple

from emberbox.records import dataclass

NULL_VERSION: Final = "null"
"""The version of what was put while a bucket kept no versions."""

ENABLED: Final = "Enabled"
SUSPENDED: Final = "Suspended"


class Piece(NamedTuple):
    """A part of a blob: its bytes from `start`, `size` of them."""

    blob: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket. `versioning` is empty, Enabled or Suspended; `settings` are its sub-resources."""

    id: int
    name: str
    account: str
    region: str
    created: float
    versioning: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The ARN."""
        return f"arn:aws:s3:::{self.name}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an object besides its bytes.

    `headers` are members of PutObject's input that come back as they were given; `checksums` the
    algorithm's name -> base64; `parts` the [number, size, checksums] of a multipart upload.
    """

    headers: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str = ""
    parts: Sequence[tuple[int, int, Mapping[str, str]]] = ()
    acl: Sequence[Mapping[str, Any]] | None = None
    retention: Mapping[str, str] | None = None
    legal_hold: str = ""

    def text(self) -> str:
        """As it is stored: what is empty is left out."""
        named = {name: getattr(self, name) for name in self.__slots__}
        kept = {n: v for n, v in named.items() if v not in (None, "") and (v or n == "acl")}
        return dumps(kept, ensure_ascii=True)

    @classmethod
    def of(cls, text: str) -> "Facts":
        """From its text."""
        return cls(**loads(text))


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """A version of an object, or a delete marker. `number` grows with each version of any object.

    `etag` is without quotes. `bodies` are small blobs among the pieces, by name, where the version
    was asked for with them.
    """

    number: int
    bucket: int
    key: str
    version: str
    is_latest: bool
    is_marker: bool
    size: int
    etag: str
    modified: float
    storage_class: str
    facts: Facts
    pieces: tuple[Piece, ...] = ()
    bodies: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewObject:
    """What is to become a version. `bodies` are blobs that are new with it, by name.

    A body of None is in a file. Pieces of other blobs are shared with whoever has them already.
    """

    key: str
    size: int
    etag: str
    facts: Facts
    pieces: tuple[Piece, ...]
    bodies: Mapping[str, bytes | None] = field(default_factory=dict)
    storage_class: str = "STANDARD"


@dataclass(frozen=True, slots=True)
class MultipartUpload:
    """An upload in parts that is not complete. `facts` is what CreateMultipartUpload was given."""

    id: str
    bucket: int
    key: str
    begun: float
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """A part of an upload; `etag` is without quotes."""

    number: int
    etag: str
    size: int
    modified: float
    checksums: Mapping[str, str]
    pieces: tuple[Piece, ...]


def bucket_of(row: sqlite3.Row) -> Bucket:
    """From its row."""
    return Bucket(
        row["id"],
        row["name"],
        row["account"],
        row["region"],
        row["created"],
        row["versioning"],
        loads(row["settings"]),
    )


def version_of(row: sqlite3.Row, bucket: int) -> ObjectVersion:
    """From its row; without pieces if the row has none."""
    return ObjectVersion(
        row["id"],
        bucket,
        row["key"],
        row["version"],
        bool(row["is_latest"]),
        bool(row["is_marker"]),
        row["size"],
        row["etag"],
        row["modified"],
        row["storage_class"],
        Facts.of(row["facts"]),
        pieces_of(row["pieces"]) if "pieces" in row.keys() else (),  # noqa: SIM118 - a sqlite3.Row
    )


def upload_of(row: sqlite3.Row) -> MultipartUpload:
    """From its row."""
    return MultipartUpload(row["id"], row["bucket"], row["key"], row["begun"], loads(row["facts"]))


def part_of(row: sqlite3.Row) -> UploadedPart:
    """From its row."""
    return UploadedPart(
        row["number"],
        row["etag"],
        row["size"],
        row["modified"],
        loads(row["checksums"]),
        pieces_of(row["pieces"]),
    )


def pieces_of(text: str) -> tuple[Piece, ...]:
    """From their text."""
    return tuple(Piece(*each) for each in loads(text))


def pieces_text(pieces: Sequence[Piece]) -> str:
    """As they are stored."""
    return dumps(pieces, separators=(",", ":"))
