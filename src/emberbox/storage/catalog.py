"""The catalog: all functions, versions and aliases in memory, for whoever must not wait for a disk.

It shows what the last committed write left; only the stores beside it change it.
"""

import asyncio
import logging
import sqlite3
from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from typing import Any, Final, NamedTuple, TypeVar

from emberbox.model.alias import Alias
from emberbox.model.attachment import Attachment, Kind
from emberbox.model.function import FunctionVersion
from emberbox.model.names import LATEST
from emberbox.records import dataclass
from emberbox.storage.database import Database, Transaction
from emberbox.storage.function_rows import function_of
from emberbox.storage.vault import Vault

log = logging.getLogger("emberbox.functions")

Key = tuple[str, str, str]
Listener = Callable[[FunctionVersion | None, FunctionVersion | None], None]
AttachmentListener = Callable[[Key, Attachment | None, Attachment | None], None]
T = TypeVar("T")


class FunctionKey(NamedTuple):
    """The full name of a function."""

    account: str
    region: str
    name: str


UNCHANGED: Final = -1


@dataclass(slots=True)
class Delta:
    """What a write has made of one function: its versions and aliases by name, None for gone.

    Attachments go with what they hang on, and need not be named then. `reserved` is the concurrency
    that is set aside for it, None for none.
    """

    versions: dict[str, FunctionVersion | None] = field(default_factory=dict)
    aliases: dict[str, Alias | None] = field(default_factory=dict)
    attachments: dict[tuple[Kind, str], Attachment | None] = field(default_factory=dict)
    reserved: int | None = UNCHANGED

    @classmethod
    def of(cls, *versions: FunctionVersion) -> "Delta":
        """These versions are new or changed."""
        return cls({each.version: each for each in versions})


class _Stored(NamedTuple):
    """A row that nobody has asked for yet, and what opens its secrets."""

    row: sqlite3.Row
    vault: Vault


@dataclass(slots=True)
class _Entry:
    """One function. Rows become versions when they are first asked for."""

    versions: "dict[str, FunctionVersion | _Stored]" = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)
    attachments: dict[tuple[Kind, str], Attachment] = field(default_factory=dict)
    reserved: int | None = None

    def version(self, version: str) -> FunctionVersion | None:
        found = self.versions.get(version)
        if isinstance(found, _Stored):
            found = self.versions[version] = function_of(found.row, found.vault)
        return found

    def orphans(self, delta: Delta) -> list[tuple[Kind, str]]:
        """The attachments that go with what a write has removed."""
        gone = {
            name for name, after in (*delta.versions.items(), *delta.aliases.items()) if not after
        }
        return [(kind, name) for kind, name in self.attachments if name in gone or LATEST in gone]


class FunctionCatalog:
    """See the module.

    `listeners` are called in the event loop with each version before and after a change, in the
    order of the commits and before the writer's call returns; None stands for no such version.
    `attachment_listeners` hear of attachments in the same way, with the function's key.
    """

    def __init__(self) -> None:
        self._functions: dict[Key, _Entry] = {}
        self._names: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._reserved: Counter[tuple[str, str]] = Counter()
        self.listeners: list[Listener] = []
        self.attachment_listeners: list[AttachmentListener] = []

    def lookup(self, account: str, region: str, name: str) -> FunctionVersion | None:
        """The `$LATEST` version of a function, or None if there is no such function."""
        entry = self._functions.get((account, region, name))
        return None if entry is None else entry.version(LATEST)

    def version(self, key: Key, version: str) -> FunctionVersion | None:
        """A version by its number or `$LATEST`, or None."""
        entry = self._functions.get(key)
        return None if entry is None else entry.version(version)

    def page(self, account: str, region: str, *, after: str, limit: int) -> list[FunctionVersion]:
        """`$LATEST` of the functions whose names come after `after`, by name."""
        names = self._names.get((account, region), [])
        first = bisect_right(names, after)
        found = (self.lookup(account, region, name) for name in names[first : first + limit])
        return [function for function in found if function is not None]

    def alias(self, key: Key, name: str) -> Alias | None:
        """An alias of a function, or None."""
        entry = self._functions.get(key)
        return None if entry is None else entry.aliases.get(name)

    def aliases(self, key: Key) -> list[Alias]:
        """The aliases of a function, by name."""
        entry = self._functions.get(key)
        return [] if entry is None else [alias for _, alias in sorted(entry.aliases.items())]

    def has_qualifier(self, key: Key, qualifier: str) -> bool:
        """Whether a function has a version or an alias of that name."""
        entry = self._functions.get(key)
        return entry is not None and (qualifier in entry.versions or qualifier in entry.aliases)

    def attachment(self, key: Key, kind: Kind, qualifier: str) -> Attachment | None:
        """What hangs on a version or an alias, or None."""
        entry = self._functions.get(key)
        return None if entry is None else entry.attachments.get((kind, qualifier))

    def attachments(self, key: Key, kind: Kind) -> list[Attachment]:
        """All of a kind that hang on a function and what it has, by qualifier."""
        entry = self._functions.get(key)
        found = [] if entry is None else list(entry.attachments.values())
        return sorted((a for a in found if a.kind is kind), key=lambda a: a.qualifier)

    def all_attachments(self, kind: Kind) -> Iterator[tuple[Key, Attachment]]:
        """All of a kind, with the functions they hang on."""
        for key, entry in self._functions.items():
            for attachment in entry.attachments.values():
                if attachment.kind is kind:
                    yield key, attachment

    def reserved(self, key: Key) -> int | None:
        """The concurrency that is set aside for a function; None for none, or no function."""
        entry = self._functions.get(key)
        return None if entry is None else entry.reserved

    def reserved_in(self, account: str, region: str) -> int:
        """The concurrency that is set aside for all functions of an account in a region."""
        return self._reserved.get((account, region), 0)

    def runtimes(self) -> set[str]:
        """Identifiers of all runtimes that functions use."""
        entries = self._functions.values()
        found = {_runtime(version) for entry in entries for version in entry.versions.values()}
        return found - {""}

    def fill(self, versions: Iterable[sqlite3.Row], aliases: Iterable[Alias], vault: Vault) -> None:
        """Begin with these; no listener hears of it."""
        self._functions = {}
        for row in versions:
            key = (row["account"], row["region"], row["name"])
            self._functions.setdefault(key, _Entry()).versions[row["version"]] = _Stored(row, vault)
        self._names.clear()
        for account, region, name in sorted(self._functions):
            self._names[account, region].append(name)
        for alias in aliases:
            self._functions.setdefault(alias.key, _Entry()).aliases[alias.name] = alias

    def reserve(self, key: Key, concurrency: int) -> None:
        """Begin with this, too."""
        self._reserve(key, self._functions[key], concurrency)

    def attach(self, key: Key, attachment: Attachment) -> None:
        """Begin with this, too; listeners hear of it, so that they need not look for more."""
        entry = self._functions.get(key)
        if entry is not None:
            self._attach(key, entry, {(attachment.kind, attachment.qualifier): attachment})

    def apply(self, key: Key, delta: Delta) -> None:
        """Take over what was committed. For the stores alone."""
        entry = self._functions.get(key)
        if entry is None:
            entry = self._functions[key] = _Entry()
            insort(self._names[key[:2]], key[2])
        heard: list[tuple[FunctionVersion | None, FunctionVersion | None]] = []
        self._attach(key, entry, {**delta.attachments, **dict.fromkeys(entry.orphans(delta))})
        for version, after in delta.versions.items():
            heard.append((entry.version(version), after))
            _put(entry.versions, version, after)
        for name, alias in delta.aliases.items():
            _put(entry.aliases, name, alias)
        if delta.reserved != UNCHANGED:
            self._reserve(key, entry, delta.reserved)
        if not entry.versions:
            self._reserve(key, entry, None)
            del self._functions[key]
            names = self._names[key[:2]]
            del names[bisect_left(names, key[2])]
        for before, after in heard:
            self._tell(before, after)

    def _reserve(self, key: Key, entry: _Entry, concurrency: int | None) -> None:
        self._reserved[key[:2]] += (concurrency or 0) - (entry.reserved or 0)
        entry.reserved = concurrency

    def _attach(
        self, key: Key, entry: _Entry, changes: dict[tuple[Kind, str], Attachment | None]
    ) -> None:
        for place, after in changes.items():
            before = entry.attachments.get(place)
            _put(entry.attachments, place, after)
            for listener in self.attachment_listeners:
                listener(key, before, after)

    def _tell(self, before: FunctionVersion | None, after: FunctionVersion | None) -> None:
        for listener in self.listeners:
            try:
                listener(before, after)
            except Exception:
                changed = after or before
                log.exception("a listener failed on the change of function %s", changed)


class CatalogWriter:
    """Writes to the database and to the catalog, in one order."""

    def __init__(self, database: Database, catalog: FunctionCatalog) -> None:
        self.database = database
        self.catalog = catalog
        self._writes: set[asyncio.Task[Any]] = set()

    async def write(self, key: FunctionKey, work: Callable[[Transaction], tuple[T, Delta]]) -> T:
        """Commit and tell the catalog, even if the caller goes away in between."""
        task = asyncio.get_running_loop().create_task(self._commit(key, work))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def _commit(self, key: FunctionKey, work: Callable[[Transaction], tuple[T, Delta]]) -> T:
        # Tasks that await commits wake in the order of the commits, and nothing is awaited between
        # that and the catalog: so the catalog goes through the same states as the database.
        answer, delta = await self.database.write(work)
        self.catalog.apply(key, delta)
        return answer


def _runtime(version: FunctionVersion | _Stored) -> str:
    return version.runtime if isinstance(version, FunctionVersion) else str(version.row["runtime"])


def _put(into: dict[Any, Any], name: object, value: object) -> None:
    if value is None:
        into.pop(name, None)
    else:
        into[name] = value
