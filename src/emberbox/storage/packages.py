"""Code packages by content: each zip file once, and beside it the tree it unpacks to.

The zip files are durable; the trees are not synced and are made again where one is missing or may
have lost something with the machine. Nothing is removed but by `collect`.
"""

import asyncio
import base64
import hashlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

from emberbox.errors import CallerError, PlatformError
from emberbox.model.function import Layer, opt_name
from emberbox.model.limits import ZIPPED_MAX_BYTES
from emberbox.records import dataclass
from emberbox.storage.layer_trees import merge
from emberbox.storage.unpacking import unpack

_PACKAGE_ID = re.compile(r"[0-9a-f]{64}\Z")
_MADE_NAME = re.compile(r"(opt|hot)-[0-9a-f]{64}\Z")
_PARALLEL = 2


@dataclass(frozen=True, slots=True)
class Package:
    """A stored package: its SHA-256 in hex and in base64, its sizes in bytes."""

    package_id: str
    code_sha256: str
    code_size: int
    unzipped_size: int


class PackageStore:
    """Packages below `root`, which must belong to one server alone.

    `root/trees/<package id>` is a package unpacked: files 0644 or 0755, directories 0755. A tree
    that stands there is complete. `root/trees/opt-<hash>` is what functions with the same several
    layers see at /opt, see `opt_name`; `root/trees/hot-<hash>` a copy of a directory.
    """

    def __init__(self, root: Path) -> None:
        self._zips = root / "zips"
        self._trees = root / "trees"
        self._incoming = root / "incoming"
        self._idle: set[str] = set()
        self._asleep: set[str] = set()
        self._slots = asyncio.Semaphore(_PARALLEL)
        for place, mode in (
            (root, 0o755),
            (self._trees, 0o755),
            (self._zips, 0o700),
            (self._incoming, 0o700),
        ):
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(mode)
        # These are not trusted after a start either; they are quickly made again.
        for place in (
            *(self._trees / marker.stem for marker in self._zips.glob("*.unsettled")),
            *self._trees.glob("opt-*"),
            *self._trees.glob("hot-*"),
        ):
            self._move_away(place)
        self._wipe()

    async def put(self, zip_bytes: bytes) -> Package:
        """Check, unpack and store a package; it is durable when this returns.

        CallerError in AWS's words if it is refused. There is time until the second `collect` after
        this to put the package to use.
        """
        if len(zip_bytes) > ZIPPED_MAX_BYTES:
            raise CallerError(
                "RequestEntityTooLargeException",
                f"Zipped size must be smaller than {ZIPPED_MAX_BYTES} bytes",
                status=413,
            )
        digest = await asyncio.to_thread(_digest, zip_bytes)
        package_id = digest.hex()
        self._idle.discard(package_id)
        self._asleep.discard(package_id)
        async with self._slots:
            size = await asyncio.to_thread(self._store, package_id, zip_bytes)
        return Package(package_id, base64.b64encode(digest).decode(), len(zip_bytes), size)

    async def ensure_tree(self, package_id: str) -> Path:
        """The directory a package is unpacked in; unpacks it if that is not so.

        PlatformError if the package is not stored.
        """
        tree = self._tree(package_id)
        self._asleep.discard(package_id)
        if not _exists(tree):
            async with self._slots:
                await asyncio.to_thread(self._rebuild, package_id)
        return tree

    async def ensure_opt(self, layers: Sequence[Layer]) -> None:
        """Make what a function with these layers sees at /opt, if that is not there.

        PlatformError if a layer's package is not stored.
        """
        name = opt_name(layers)
        if name is None or _exists(self._trees / name):
            return
        trees = [await self.ensure_tree(layer.package_id) for layer in layers]
        if len(trees) > 1:
            try:
                await self.ensure_made(name, partial(merge, trees))
            except OSError as error:
                raise PlatformError(f"the layers could not be merged: {error}") from error

    async def ensure_made(self, name: str, make: Callable[[Path], Path]) -> None:
        """Make a tree under a name, if there is none.

        `make` runs in a thread; it is given a directory to make the tree in, and gives the tree.
        """
        if not _exists(self.tree_path(name)):
            async with self._slots:
                await asyncio.to_thread(
                    lambda: self._publish(make(self._incoming), self.tree_path(name))
                )

    def tree_path(self, name: str) -> Path:
        """Where a made tree is, if it is there."""
        if not _MADE_NAME.match(name):
            raise PlatformError(f"{name!r} is no name of a tree")
        return self._trees / name

    async def unzipped_size(self, package_id: str) -> int:
        """The number of bytes that a package unpacks to; PlatformError if it is not stored."""
        return await asyncio.to_thread(_size, await self.ensure_tree(package_id))

    def zip_path(self, package_id: str) -> Path:
        """Where the zip file of a package is, if it is stored."""
        return self._zips / f"{_checked(package_id)}.zip"

    async def unmake(self, asleep: Collection[str]) -> int:
        """Remove the trees of packages that are asleep for the second time; the number removed.

        Their zip files stay. Asleep is what nobody runs now; see `collect` for the two calls. What
        `ensure_tree` was asked for in between is not asleep.
        """
        removed = self._asleep.intersection(asleep)
        self._asleep = set(asleep) - removed
        for package_id in removed:
            self._move_away(self._tree(package_id))
        await asyncio.to_thread(self._wipe, "gone-*")
        return len(removed)

    async def collect(self, in_use: Collection[str]) -> int:
        """Remove the packages that are idle for the second time; the number removed.

        Idle is what is not in use and has not been put since the call before. A tree that is still
        mounted somewhere must be named in `in_use`: its files would vanish from there. That it
        takes two calls leaves time for what is between being chosen and being seen in use.
        """
        idle = set(await asyncio.to_thread(self._stored)).difference(in_use)
        removed = idle & self._idle
        self._idle = idle - removed
        for package_id in removed:
            self._drop(package_id)
        await asyncio.to_thread(self._wipe, "gone-*")
        await asyncio.to_thread(self._settle)
        return len(removed)

    def _store(self, package_id: str, data: bytes) -> int:
        tree = self._tree(package_id)
        try:
            if tree.exists() and self.zip_path(package_id).exists():
                return _size(tree)
            unpacked, size = self._unpacked(data)
            self._keep_zip(package_id, data)
            self._publish(unpacked, tree)
        except OSError as error:
            raise PlatformError(f"the code package could not be stored: {error}") from error
        return size

    def _rebuild(self, package_id: str) -> None:
        tree = self._tree(package_id)
        try:
            unpacked, _ = self._unpacked(self.zip_path(package_id).read_bytes())
            self._marker(package_id).touch()
            _sync_directory(self._zips)
            self._publish(unpacked, tree)
        except (OSError, CallerError) as error:
            raise PlatformError(
                f"the code package {package_id} could not be unpacked: {error}"
            ) from error

    def _unpacked(self, data: bytes) -> tuple[Path, int]:
        """A new directory in `incoming` with what is in the zip file, and the size of that."""
        place = Path(tempfile.mkdtemp(dir=self._incoming, prefix="tree-"))
        try:
            size = unpack(data, place)
            place.chmod(0o755)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        return place, size

    def _keep_zip(self, package_id: str, data: bytes) -> None:
        fresh = self._incoming / f"zip-{secrets.token_hex(8)}"
        try:
            with fresh.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._marker(package_id).touch()
            fresh.replace(self.zip_path(package_id))
        finally:
            fresh.unlink(missing_ok=True)
        _sync_directory(self._zips)

    def _publish(self, unpacked: Path, tree: Path) -> None:
        """Put a complete tree in its place, unless one of the same package is there."""
        try:
            unpacked.rename(tree)
        except OSError:
            shutil.rmtree(unpacked, ignore_errors=True)
            if not tree.exists():
                raise

    def _stored(self) -> list[str]:
        names = {place.stem for place in self._zips.iterdir()}
        names.update(place.name for place in self._trees.iterdir())
        return [name for name in names if _PACKAGE_ID.match(name) or _MADE_NAME.match(name)]

    def _drop(self, package_id: str) -> None:
        """Make a package vanish; in the loop, so that `put` sees it whole or not at all."""
        self._move_away(self._trees / package_id)
        if _PACKAGE_ID.match(package_id):
            self._move_away(self.zip_path(package_id))
            self._marker(package_id).unlink(missing_ok=True)

    def _move_away(self, place: Path) -> None:
        if place.exists():
            place.rename(Path(tempfile.mkdtemp(dir=self._incoming, prefix="gone-"), place.name))

    def _wipe(self, pattern: str = "*") -> None:
        for left in self._incoming.glob(pattern):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)

    def _settle(self) -> None:
        """Sync new trees all at once and take their marks off.

        A tree that still has its mark at the start of a server is not trusted: its files may have
        been lost with the machine, though its directory was not.
        """
        marked = [m for m in self._zips.glob("*.unsettled") if (self._trees / m.stem).exists()]
        if marked:
            os.sync()
        for marker in marked:
            marker.unlink(missing_ok=True)

    def _tree(self, package_id: str) -> Path:
        return self._trees / _checked(package_id)

    def _marker(self, package_id: str) -> Path:
        return self._zips / f"{package_id}.unsettled"


def _checked(package_id: str) -> str:
    if not _PACKAGE_ID.match(package_id):
        raise PlatformError(f"{package_id!r} is no package id")
    return package_id


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _exists(place: Path) -> bool:
    return place.exists()


def _size(tree: Path) -> int:
    total = 0
    for folder, directories, files in os.walk(tree):
        links = [name for name in directories if Path(folder, name).is_symlink()]
        total += sum(Path(folder, name).lstat().st_size for name in (*files, *links))
    return total


def _sync_directory(place: Path) -> None:
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
