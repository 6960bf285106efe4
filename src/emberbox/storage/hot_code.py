"""Directories as code: a copy of one is made when it is needed, and again when it has changed.

A sandbox never sees the directory itself, only copies in the package store; files that have not
changed are shared between them by hard links. No symbolic link is followed out of the directory.
"""

import asyncio
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from emberbox.errors import CallerError
from emberbox.model.function import FunctionVersion
from emberbox.model.limits import PACKAGE_MAX_ENTRIES, UNZIPPED_MAX_BYTES
from emberbox.model.package_layout import BadEntryError, check_links, file_mode
from emberbox.storage.packages import PackageStore

_LEFT_OUT = frozenset({".git", "__pycache__"})
_TRIES = 3
_NO_FOLLOW = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = _NO_FOLLOW | os.O_DIRECTORY
_BLOCK_BYTES = 1 << 20


class _File(NamedTuple):
    """What tells whether an entry has changed. A directory has `size` -1, a link a `target`."""

    size: int
    changed_ns: int
    inode: int
    mode: int
    target: str = ""


Listing = dict[str, _File]


class HotCode:
    """Keeps copies of directories below the trees of the package store."""

    def __init__(self, packages: PackageStore) -> None:
        self._packages = packages
        self._latest: dict[str, tuple[str, Listing]] = {}

    async def current(self, function: FunctionVersion) -> FunctionVersion:
        """The function with the directory's content of this moment for a package.

        CallerError if the directory is gone, or holds what no package may hold.
        """
        directory = Path(function.source_directory)
        try:
            listing = await asyncio.to_thread(_scan, directory)
            name, seen = "", listing
            for _ in range(_TRIES):
                name, seen = _name(listing), listing
                await self._packages.ensure_made(name, partial(self._copy, directory, listing))
                # What was written while it was copied belongs to the next copy.
                listing = await asyncio.to_thread(_scan, directory)
                if listing == seen:
                    break
        except (OSError, BadEntryError) as error:
            raise CallerError(
                "ResourceNotReadyException",
                f"The code of the function cannot be read from {directory}: {error}",
                status=502,
            ) from None
        self._latest[function.source_directory] = (name, seen)
        return replace(function, package_id=name)

    def _copy(self, directory: Path, listing: Listing, incoming: Path) -> Path:
        before, known = self._latest.get(str(directory), ("", {}))
        earlier = self._packages.tree_path(before) if before else None
        copy = Path(tempfile.mkdtemp(dir=incoming, prefix="tree-"))
        try:
            with _held(directory) as held:
                for folder, _, _, descriptor in os.fwalk(".", dir_fd=held):
                    for name in os.listdir(descriptor):  # noqa: PTH208 - of a descriptor
                        path = str(Path(folder, name))
                        entry = listing.get(path)
                        if entry is None:
                            continue
                        is_known = earlier is not None and known.get(path) == entry
                        unchanged = earlier / path if earlier and is_known else None
                        _put(entry, name, descriptor, copy / path, unchanged)
            copy.chmod(0o755)
        except BaseException:
            shutil.rmtree(copy, ignore_errors=True)
            raise
        return copy


def _put(entry: _File, name: str, descriptor: int, place: Path, unchanged: Path | None) -> None:
    if entry.size < 0:
        place.mkdir()
        place.chmod(0o755)
    elif entry.target:
        place.symlink_to(entry.target)
    elif unchanged is not None and unchanged.exists():
        os.link(unchanged, place, follow_symlinks=False)
    else:
        source = os.open(name, _NO_FOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
        with os.fdopen(source, "rb") as file, place.open("xb") as out:
            if not stat.S_ISREG(os.fstat(source).st_mode):
                raise BadEntryError(f"{name} has become something else than a file")
            _copy_bytes(file, out, entry.size)
        place.chmod(file_mode(entry.mode))


def _copy_bytes(source: BinaryIO, target: BinaryIO, size: int) -> None:
    """What there was when it was looked at: what has come since belongs to the next copy."""
    while size > 0:
        block = source.read(min(size, _BLOCK_BYTES))
        if not block:
            return
        size -= target.write(block)


@contextmanager
def _held(directory: Path) -> Iterator[int]:
    """A descriptor of a directory that no link leads to, at any part of its path, now or later."""
    held = os.open("/", _DIRECTORY)
    try:
        for part in directory.parts[1:]:
            below = os.open(part, _DIRECTORY, dir_fd=held)
            os.close(held)
            held = below
        yield held
    finally:
        os.close(held)


def _scan(directory: Path) -> Listing:
    """All entries by relative path; OSError or BadEntryError."""
    try:
        with _held(directory) as held:
            return _listed(held)
    except (FileNotFoundError, NotADirectoryError):
        raise BadEntryError("there is no such directory") from None


def _listed(held: int) -> Listing:
    listing: Listing = {}
    total = 0
    for folder, folders, files, descriptor in os.fwalk(".", dir_fd=held):
        folders[:] = [name for name in folders if name not in _LEFT_OUT]
        for name in (*folders, *files):
            entry = _entry(name, descriptor)
            listing[str(Path(folder, name))] = entry
            total += max(0, entry.size)
        if len(listing) > PACKAGE_MAX_ENTRIES or total > UNZIPPED_MAX_BYTES:
            raise BadEntryError(
                f"it holds more than {UNZIPPED_MAX_BYTES} bytes or {PACKAGE_MAX_ENTRIES} entries"
            )
    check_links({path: entry.target for path, entry in listing.items() if entry.target})
    return listing


def _entry(name: str, descriptor: int) -> _File:
    found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    about = (found.st_mtime_ns, found.st_ino, found.st_mode)
    if stat.S_ISDIR(found.st_mode):
        return _File(-1, 0, 0, 0)
    if stat.S_ISLNK(found.st_mode):
        return _File(0, *about, os.readlink(name, dir_fd=descriptor))
    if not stat.S_ISREG(found.st_mode):
        raise BadEntryError(f"{name} is neither a file, a directory nor a link")
    return _File(found.st_size, *about)


def _name(listing: Listing) -> str:
    text = repr(sorted(listing.items())).encode("utf-8", "surrogateescape")
    return f"hot-{hashlib.sha256(text).hexdigest()}"
