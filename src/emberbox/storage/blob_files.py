"""Bytes of objects as files: written beside, synced, and linked to their name.

A file's name is random, never a client's. Until the metadata that names it is committed, a second
link in `new` says that it may be nobody's: a server that finds one there at its start asks.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

SMALL_BYTES: Final = 32_768
"""Bodies up to this size are kept in the database: one sync less, and no file."""

_NEW: Final = "new"


class BlobFiles:
    """The directory of one server's objects; it is made when it is first needed."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._new = place / _NEW
        self._known: set[str] = set()

    def open(self, name: str) -> int:
        """A descriptor to read a blob by; FileNotFoundError if it is gone. The caller closes it."""
        return os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)

    def begin(self) -> "BlobWriter":
        """A new blob."""
        name = secrets.token_hex(16)
        return BlobWriter(self, name, self._new / name)

    def keep(self, name: str) -> None:
        """Link a new blob, synced already, to its name; durable on return."""
        folder = self._path(name).parent
        if folder.name not in self._known:
            if not self._known:
                _sync(self._place.parent)
            folder.mkdir(exist_ok=True, mode=0o700)
            _sync(self._place)
            self._known.add(folder.name)
        os.link(self._new / name, folder / name)
        _sync(folder)

    def settle(self, name: str) -> None:
        """The metadata that names a new blob is committed."""
        (self._new / name).unlink(missing_ok=True)

    def remove_all(self, names: Sequence[str]) -> None:
        """Remove blobs; they are gone for good on return."""
        for name in names:
            self.remove(name)
        for folder in {self._path(name).parent for name in names}:
            if folder.is_dir():
                _sync(folder)

    def remove(self, name: str) -> None:
        """Remove a blob, wherever it is."""
        (self._new / name).unlink(missing_ok=True)
        self._path(name).unlink(missing_ok=True)

    def unsettled(self) -> Iterator[str]:
        """New blobs that nobody has settled."""
        if self._new.is_dir():
            yield from [each.name for each in self._new.iterdir()]

    def _path(self, name: str) -> Path:
        return self._place / name[:2] / name


class BlobWriter:
    """Bytes that become a blob; small ones stay in memory. To be used in one thread at a time."""

    def __init__(self, files: BlobFiles, name: str, path: Path) -> None:
        self._files = files
        self.name = name
        self._path = path
        self._small = bytearray()
        self._file = -1
        self.size = 0

    def write(self, data: bytes) -> None:
        """More bytes."""
        self.size += len(data)
        if self._file < 0:
            self._small += data
            if self.size <= SMALL_BYTES:
                return
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            data, self._small = bytes(self._small), bytearray()
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def finish(self) -> bytes | None:
        """Make it durable; the whole body if it is small, None if it is in a file."""
        if self._file < 0:
            return bytes(self._small)
        os.fsync(self._file)
        self._close()
        self._files.keep(self.name)
        return None

    def drop(self) -> None:
        """Forget it all."""
        self._close()
        self._small.clear()
        self._files.remove(self.name)

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
