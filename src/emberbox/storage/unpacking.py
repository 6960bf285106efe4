"""Unpacks a customer's zip file into a directory of its own.

What may be in it is decided by `emberbox.model.package_layout`; here its bytes are counted as they
are written, whatever its headers claim. Nothing is synced to disk: a tree can be made again.
"""

import calendar
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from emberbox.errors import CallerError
from emberbox.model.limits import PACKAGE_MAX_ENTRIES, UNZIPPED_MAX_BYTES
from emberbox.model.package_layout import (
    PATH_MAX_BYTES,
    BadEntryError,
    Layout,
    check_links,
    file_mode,
)

_NOT_A_ZIP = "Could not unzip uploaded file. Please check your file, then try to upload again."
_EMPTY = "Uploaded file must be a non-empty zip"
_TOO_LARGE = f"Unzipped size must be smaller than {UNZIPPED_MAX_BYTES} bytes"

_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1
_CENTRAL_HEADER = b"PK\x01\x02"
_TIMESTAMP_FIELD = 0x5455
_CHUNK_BYTES = 1 << 18
_EPOCH_OF_ZIP = 315_532_800
_BROKEN = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)


def unpack(data: bytes, into: Path) -> int:
    """Fill the directory, which must exist and be empty; the number of bytes written.

    CallerError in AWS's words for what is no zip file, too large or refused. What was written until
    then stays: the caller removes it. OSError is the host's fault.
    """
    if not data:
        raise _refused(_EMPTY)
    try:
        return _unpack(data, into)
    except BadEntryError as error:
        raise _refused(f"{_NOT_A_ZIP} {error}") from None
    except _BROKEN as error:
        raise _refused(_NOT_A_ZIP) from error


def _unpack(data: bytes, into: Path) -> int:
    # The parser makes an object of every header that it finds, so these are counted beforehand.
    if data.count(_CENTRAL_HEADER) > PACKAGE_MAX_ENTRIES:
        raise BadEntryError(f"It holds more than {PACKAGE_MAX_ENTRIES} entries.")
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        entries = package.infolist()
        if not entries:
            raise _refused(_EMPTY)
        return _Unpacking(package, entries, into).run()


class _Unpacking:
    """One run: directories, then files, then the links, through which nothing is written."""

    def __init__(
        self, package: zipfile.ZipFile, entries: list[zipfile.ZipInfo], into: Path
    ) -> None:
        self._package = package
        self._entries = entries
        self._into = into
        self._written = 0

    def run(self) -> int:
        layout = Layout()
        for position, entry in enumerate(self._entries):
            _check_method(entry)
            layout.add(position, _name(entry), entry.external_attr >> 16)
        layout.check()
        targets = {
            path: self._target(self._entries[position]) for path, position in layout.links.items()
        }
        check_links(targets)
        for path in sorted(layout.directories):
            self._make_directory(path)
        for path, position in layout.files.items():
            self._write_file(path, self._entries[position])
        for path, target in targets.items():
            self._count(len(target.encode()))
            Path(self._into, path).symlink_to(target)
        return self._written

    def _make_directory(self, path: str) -> None:
        place = Path(self._into, path)
        place.mkdir()
        place.chmod(0o755)

    def _write_file(self, path: str, entry: zipfile.ZipInfo) -> None:
        # "x": never through a link, never over a file.
        with Path(self._into, path).open("xb") as file:
            for chunk in self._chunks(entry):
                self._count(len(chunk))
                file.write(chunk)
            file.flush()
            os.fchmod(file.fileno(), file_mode(entry.external_attr >> 16))
            modified = _modified(entry)
            os.utime(file.fileno(), (modified, modified))

    def _chunks(self, entry: zipfile.ZipInfo) -> Iterator[bytes]:
        with self._package.open(entry) as source:
            while chunk := source.read(_CHUNK_BYTES):
                yield chunk

    def _target(self, entry: zipfile.ZipInfo) -> str:
        with self._package.open(entry) as source:
            target = source.read(PATH_MAX_BYTES + 1)
        return target.decode()

    def _count(self, size_bytes: int) -> None:
        self._written += size_bytes
        if self._written > UNZIPPED_MAX_BYTES:
            raise _refused(_TOO_LARGE)


def _check_method(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & _ENCRYPTED:
        raise BadEntryError("It is encrypted.")
    if entry.compress_type not in _METHODS:
        raise BadEntryError("It is compressed by another method than deflate.")


def _name(entry: zipfile.ZipInfo) -> str:
    """The name, uncut: the parser ends it at a NUL."""
    whole = entry.orig_filename
    return whole if "\0" in whole else entry.filename


def _modified(entry: zipfile.ZipInfo) -> int:
    """When the file was last changed, in seconds since the epoch.

    Kept because Python takes a compiled module for current only if it names this very second. The
    plain field is in an unknown time zone; the extra field, where there is one, is exact.
    """
    extra = entry.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == _TIMESTAMP_FIELD and size >= 5 and len(extra) >= 9 and extra[4] & 1:
            return int(struct.unpack_from("<i", extra, 5)[0])
        extra = extra[4 + size :]
    try:
        return calendar.timegm((*entry.date_time, 0, 0, 0))
    except ValueError:
        return _EPOCH_OF_ZIP


def _refused(message: str) -> CallerError:
    return CallerError("InvalidParameterValueException", message, status=400)
