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
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from emberbox.errors import CallerError
from emberbox.model.function import FunctionVersion
from emberbox.model.limits import PACKAGE_MAX_ENTRIES, UNZIPPED_MAX_BYTES
from emberbox.model.package_layout import BadEntryError, check_links, file_mode
from emberbox.storage.packages import PackageStore

_LEFT_OUT = frozenset({".git", "__pycache__"})
_TRIES = 3
_NO_FOLLOW = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


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
            for folder, _, _, descriptor in os.fwalk(directory, follow_symlinks=False):
                for name in os.listdir(descriptor):  # noqa: PTH208 - of a descriptor
                    path = str(Path(folder, name).relative_to(directory))
                    entry = listing.get(path)
                    if entry is None:
                        continue
                    unchanged = earlier / path if earlier and known.get(path) == entry else None
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
        source = os.open(name, _NO_FOLLOW, dir_fd=descriptor)
        with os.fdopen(source, "rb") as file, place.open("xb") as out:
            shutil.copyfileobj(file, out)
        place.chmod(file_mode(entry.mode))


def _scan(directory: Path) -> Listing:
    """All entries by relative path; OSError or BadEntryError."""
    if os.path.realpath(directory) != str(directory) or not directory.is_dir():
        raise BadEntryError("there is no such directory")
    listing: Listing = {}
    total = 0
    for folder, folders, files, descriptor in os.fwalk(directory, follow_symlinks=False):
        folders[:] = [name for name in folders if name not in _LEFT_OUT]
        for name in (*folders, *files):
            entry = _entry(name, descriptor)
            listing[str(Path(folder, name).relative_to(directory))] = entry
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
