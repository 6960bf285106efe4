"""What a code package may hold: where its entries go, and why some are refused.

The package is a customer's zip file and hostile until proven otherwise: no entry may leave the
package's own directory, be written through a symbolic link, or be anything but a plain file, a
directory or a symbolic link that stays inside.
"""

import re
import stat
from collections.abc import Mapping
from dataclasses import field

from emberbox.model.limits import PACKAGE_MAX_ENTRIES
from emberbox.records import dataclass

PATH_MAX_BYTES = 1_024
NAME_MAX_BYTES = 255
DEPTH_MAX = 128
_HOPS_MAX = 40
_STEPS_MAX = 1_000_000
_SHOWN_MAX = 200
_DRIVE = re.compile(r"[A-Za-z]:")


class BadEntryError(ValueError):
    """The package holds something that is not unpacked; the text says what and why."""


@dataclass(slots=True)
class Layout:
    """Where the entries of a package go, as paths relative to its directory.

    Entries are named by their position in the package. Of several entries for one path the last
    counts.
    """

    directories: set[str] = field(default_factory=set)
    files: dict[str, int] = field(default_factory=dict)
    links: dict[str, int] = field(default_factory=dict)

    def add(self, position: int, name: str, mode: int) -> None:
        """Place an entry by its name and its Unix mode (0 where the package does not say)."""
        path = entry_path(name)
        kind = stat.S_IFMT(mode)
        if name.endswith("/") or kind == stat.S_IFDIR:
            self._add_directory(path)
        elif kind == stat.S_IFLNK:
            self.files.pop(path, None)
            self.links[path] = position
            self._add_directory(_parent(path))
        elif kind in (0, stat.S_IFREG):
            self.links.pop(path, None)
            self.files[path] = position
            self._add_directory(_parent(path))
        else:
            raise BadEntryError(f"{_shown(name)} is neither a file, a directory nor a link.")
        if len(self.directories) + len(self.files) + len(self.links) > PACKAGE_MAX_ENTRIES:
            raise BadEntryError(f"It holds more than {PACKAGE_MAX_ENTRIES} entries.")

    def check(self) -> None:
        """BadEntryError if a file or link stands where a directory must be."""
        for paths in (self.files, self.links):
            for path in paths:
                if path in self.directories or not path:
                    raise BadEntryError(f"{_shown(path)} is a directory and something else too.")

    def _add_directory(self, path: str) -> None:
        while path and path not in self.directories:
            self.directories.add(path)
            path = _parent(path)


def entry_path(name: str) -> str:
    """The relative path that an entry's name stands for, "" for the package's own directory.

    BadEntryError for a name that is absolute, leads outside, or does not fit a Linux file system.
    """
    if "\0" in name or "\\" in name:
        raise BadEntryError(f"The name {_shown(name)} holds a NUL or a backslash.")
    if name.startswith("/") or _DRIVE.match(name):
        raise BadEntryError(f"The name {_shown(name)} is absolute.")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise BadEntryError(f"The name {_shown(name)} leads upwards.")
    if (
        len(name.encode()) > PATH_MAX_BYTES
        or len(parts) > DEPTH_MAX
        or any(len(part.encode()) > NAME_MAX_BYTES for part in parts)
    ):
        raise BadEntryError(f"The name {_shown(name)} is too long or too deep.")
    return "/".join(parts)


def check_links(targets: Mapping[str, str]) -> None:
    """BadEntryError unless every link, followed to its end, stays inside the package.

    `targets` is link path -> target as stored. Other links on the way are followed; what they lead
    to need not exist. No path in `targets` may lie below another link.
    """
    steps = 0
    for path, target in targets.items():
        steps += _follow(path, target, targets, _STEPS_MAX - steps)


def file_mode(mode: int) -> int:
    """The permissions a file gets: readable by everybody, executable if it was so for anybody."""
    return 0o755 if mode & 0o111 else 0o644


def _follow(path: str, target: str, targets: Mapping[str, str], steps_left: int) -> int:
    """Walk as the kernel would; the number of steps it took."""
    here = path.split("/")[:-1]
    rest = _steps(path, target)
    hops = 1
    steps = 0
    while rest:
        steps += 1
        if steps > steps_left or hops > _HOPS_MAX:
            raise BadEntryError(f"The link {_shown(path)} is in a loop or in too long a chain.")
        part = rest.pop()
        if part == "..":
            if not here:
                raise BadEntryError(f"The link {_shown(path)} points outside the package.")
            here.pop()
        elif part not in ("", "."):
            passed = "/".join((*here, part))
            if passed in targets:
                rest += _steps(path, targets[passed])
                hops += 1
            else:
                here.append(part)
    return steps


def _steps(path: str, target: str) -> list[str]:
    """The parts of a link's target, the first one last."""
    if target.startswith("/"):
        raise BadEntryError(f"The link {_shown(path)} points outside the package.")
    if not target or "\0" in target or len(target.encode()) > PATH_MAX_BYTES:
        raise BadEntryError(f"The link {_shown(path)} has no usable target.")
    return target.split("/")[::-1]


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _shown(name: str) -> str:
    return repr(name[:_SHOWN_MAX])
