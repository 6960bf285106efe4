"""How well sandboxes are isolated: the levels, what each gives, and which one a host gets.

A rule without I/O: what was found on the host comes in as `Ground`.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from emberbox.errors import PlatformError
from emberbox.records import dataclass


class Level(Enum):
    """From the best down; the values are what `--isolation` takes."""

    ROOT_V2 = "root-v2"
    ROOT_V1 = "root-v1"
    DELEGATED = "delegated"
    WATCHED = "watched"
    CONFINED = "confined"
    PROCESS = "process"


STRICT = "strict"
"""What `--isolation` takes for: a full level with all it gives, or no server."""


class Gives(Enum):
    """What a level can give a sandbox; the values are for people."""

    VIEW = "files, processes and names of its own"
    NETWORK = "a network of its own"
    USER = "a host user of its own"
    FILTER = "a filter of system calls, no privileges"
    FILES = "files of others out of reach"
    MEMORY = "memory limited by the kernel"
    MEMORY_WATCHED = "memory watched, and killed above the limit"
    CPU = "processor time limited"
    PROCESSES = "processes limited"
    FREEZING = "freezing that cannot be undone"
    TREE = "no process survives its sandbox"
    DISK = "a disk of its own for temporary files"


_NAMESPACES = frozenset({Gives.VIEW, Gives.NETWORK, Gives.FILTER, Gives.FILES, Gives.TREE})
_GROUPS = frozenset({Gives.MEMORY, Gives.CPU, Gives.PROCESSES, Gives.FREEZING})
_ROOT = _NAMESPACES | _GROUPS | {Gives.USER, Gives.DISK}

TABLE: Final[Mapping[Level, frozenset[Gives]]] = MappingProxyType(
    {
        Level.ROOT_V2: _ROOT,
        Level.ROOT_V1: _ROOT,
        Level.DELEGATED: _NAMESPACES | _GROUPS,
        Level.WATCHED: _NAMESPACES | {Gives.MEMORY_WATCHED, Gives.PROCESSES},
        Level.CONFINED: frozenset(
            {Gives.FILTER, Gives.FILES, Gives.MEMORY_WATCHED, Gives.PROCESSES, Gives.TREE}
        ),
        Level.PROCESS: frozenset({Gives.MEMORY_WATCHED}),
    }
)
"""The most that each level gives; what a host lacks of it is said by `Isolation.lacks`."""

FULL: Final = frozenset({Level.ROOT_V2, Level.ROOT_V1})


@dataclass(frozen=True, slots=True)
class Ground:
    """What was found. `no_namespaces` says why there are none, or is empty.

    `groups` is `v2`, `hybrid`, `v1` or `none`, and `can` what those groups do. `owns_users` is
    whether the server may give sandboxes users of their own, `landlock` the kernel's version of it.
    """

    root: bool
    owns_users: bool
    no_namespaces: str
    groups: str
    can: frozenset[Gives]
    landlock: int


@dataclass(frozen=True, slots=True)
class Isolation:
    """The level that a server runs at, and what this host does not give of it."""

    level: Level
    lacks: frozenset[Gives]
    why_not_more: str = ""

    @property
    def gives(self) -> frozenset[Gives]:
        """What its sandboxes really have."""
        return TABLE[self.level] - self.lacks

    @property
    def is_full(self) -> bool:
        """Whether nothing that protects is missing. A disk for /tmp is comfort."""
        return self.level in FULL and not self.lacks - {Gives.DISK}


def best(ground: Ground) -> Level:
    """The best level that this ground allows."""
    if ground.no_namespaces:
        return Level.CONFINED
    if Gives.MEMORY not in ground.can:
        return Level.WATCHED
    if not (ground.root and ground.owns_users):
        return Level.DELEGATED
    return Level.ROOT_V2 if ground.groups == "v2" else Level.ROOT_V1


def choose(asked: str | None, ground: Ground) -> Isolation:
    """What was asked for, or the best but `process`; PlatformError if this host cannot give it."""
    found = best(ground)
    why = _why_not_more(found, ground)
    if asked is None:
        return Isolation(found, _lacks(found, ground), why)
    if asked == STRICT:
        isolation = Isolation(found, _lacks(found, ground), why)
        if not isolation.is_full:
            missing = "; ".join(sorted(g.value for g in _ROOT - isolation.gives - {Gives.DISK}))
            raise PlatformError(
                f"--isolation strict: this host gives only {found.value}, without: {missing}"
            )
        return isolation
    level = Level(asked)
    downward = level in {Level.WATCHED, Level.CONFINED, Level.PROCESS} and _order(level) >= _order(
        found
    )
    if level is not found and not downward:
        raise PlatformError(
            f"--isolation {asked} is not possible here: this host gives {found.value}"
            + (f" ({why})" if why else "")
        )
    return Isolation(level, _lacks(level, ground), "" if level is not found else why)


def _order(level: Level) -> int:
    return list(Level).index(level)


def _lacks(level: Level, ground: Ground) -> frozenset[Gives]:
    """What this ground withholds of what the level could give."""
    lacks: set[Gives] = set()
    if level in {Level.ROOT_V2, Level.ROOT_V1, Level.DELEGATED}:
        lacks |= TABLE[level] & (_GROUPS | {Gives.DISK}) - ground.can
    if level is Level.CONFINED and not ground.landlock:
        lacks.add(Gives.FILES)
    return frozenset(lacks)


def _why_not_more(level: Level, ground: Ground) -> str:
    match level:
        case Level.CONFINED:
            return ground.no_namespaces
        case Level.WATCHED:
            return "control groups cannot be written"
        case Level.DELEGATED:
            return "not root of the host"
        case _:
            return ""
