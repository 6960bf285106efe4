"""SQLite with group commit: one writer thread, many requests per commit, a change feed.

An awaited write has been committed, and synced unless the database was opened without, when
`write` returns. Each request runs in a savepoint of its own, so that a failing one undoes only
itself. Reads see all committed writes.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from emberbox.errors import PlatformError
from emberbox.records import dataclass
from emberbox.storage.sql import Queries, migrations
from emberbox.storage.vault import NoVault, Vault

T = TypeVar("T")
Values = dict[str, Any] | tuple[Any, ...]
"""By the names, or in the order, of a statement's parameters."""

_BATCH = 256
_READERS = 2

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that was committed: what kind of thing, and which one."""

    kind: str
    key: tuple[str, ...]


class Transaction:
    """What a piece of work may do with the database; valid only while the work runs."""

    def __init__(self, connection: sqlite3.Connection, queries: Queries, vault: Vault) -> None:
        self._connection = connection
        self._queries = queries
        self.vault = vault
        self.changes: list[Change] = []

    def run(self, query: str, /, **values: Any) -> int:
        """Execute a named statement; the number of rows it touched."""
        return self._connection.execute(self._queries[query], values).rowcount

    def run_many(self, query: str, rows: Iterable[Values], /) -> None:
        """Execute a named statement once for each row of values."""
        self._connection.executemany(self._queries[query], rows)

    def one(self, query: str, /, **values: Any) -> sqlite3.Row | None:
        """The first row of a named query."""
        row: sqlite3.Row | None = self._connection.execute(self._queries[query], values).fetchone()
        return row

    def all(self, query: str, /, **values: Any) -> list[sqlite3.Row]:
        """All rows of a named query; the query bounds their number."""
        return self._connection.execute(self._queries[query], values).fetchall()

    def changed(self, kind: str, *key: str) -> None:
        """Announce a change to the feed once the commit has happened."""
        self.changes.append(Change(kind, key))


Work = Callable[[Transaction], T]
Listener = Callable[[Change], None]


@dataclass(slots=True)
class _Request:
    work: Work[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None
    changes: tuple[Change, ...] = ()


class Database:
    """One SQLite file and its writer thread.

    Open it inside a running event loop with `await Database.open(...)`; `await close()` commits
    what is queued. Listeners of the change feed are called in the loop, after the commit and before
    the writer's `write` returns.
    """

    def __init__(self, path: Path, queries: Queries, vault: Vault, *, durable: bool) -> None:
        self.vault = vault
        self._path = path
        self._queries = queries
        self._durable = durable
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._listeners: list[Listener] = []
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix=f"read-{path.stem}")
        self._local = threading.local()
        self._reader_connections: list[sqlite3.Connection] = []
        # A daemon, so that a server that fails at start ends; what was acknowledged is committed.
        self._writer = threading.Thread(
            target=self._write_loop, name=f"write-{path.stem}", daemon=True
        )
        self._writer_connection: sqlite3.Connection | None = None
        self._is_closed = False

    @classmethod
    async def open(
        cls,
        path: Path,
        stem: str,
        query_stems: Iterable[str] | None = None,
        *,
        durable: bool = True,
        vault: Vault | None = None,
    ) -> "Database":
        """Open or create the file and apply the migrations `stem` that it lacks.

        `durable` False drops the sync to disk at each commit: committed work survives the end of
        the process but not of the machine. `vault` seals the secrets among what is stored.
        """
        queries = Queries.load(*(query_stems or (stem,)))
        database = cls(path, queries, vault or NoVault(), durable=durable)
        await asyncio.to_thread(database._prepare, stem)
        database._writer.start()
        return database

    async def close(self) -> None:
        """Finish queued writes and running reads, and release the file. May be called again."""
        if not self._is_closed:
            self._is_closed = True
            self._requests.put(None)
        await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._reader_connections:
            connection.close()

    def subscribe(self, listener: Listener) -> None:
        """Hear of every committed change."""
        self._listeners.append(listener)

    async def write(self, work: Work[T]) -> T:
        """Run the work in a transaction and return its result once it is committed.

        What the work raises is raised here and undoes only this work. A caller that is cancelled
        does not undo a write that has been queued.
        """
        self._check_open()
        loop = asyncio.get_running_loop()
        request = _Request(work, loop, loop.create_future())
        self._requests.put(request)
        result: T = await request.future
        return result

    async def read(self, work: Work[T]) -> T:
        """Run the work on a snapshot; SQLite refuses it to write."""
        self._check_open()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, work)

    def _check_open(self) -> None:
        if self._is_closed:
            raise PlatformError(f"{self._path.name} is closed")

    def _read(self, work: Work[T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            self._reader_connections.append(connection)
        connection.execute("BEGIN")
        try:
            return work(Transaction(connection, self._queries, self.vault))
        except sqlite3.Error as error:
            raise self._trouble(error) from error
        finally:
            connection.execute("ROLLBACK")

    def _trouble(self, error: sqlite3.Error) -> PlatformError:
        """What callers hear of a disk that is full, or a file that cannot be read."""
        return PlatformError(f"{self._path.name}: {error}")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA busy_timeout = 10000")
        connection.execute("PRAGMA foreign_keys = ON")
        if not isinstance(self.vault, NoVault):
            connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        return connection

    def _prepare(self, stem: str) -> None:
        try:
            connection = self._connect()
            try:
                _migrate(connection, self._path, stem)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise PlatformError(f"{self._path} cannot be opened: {error}") from error
        self._writer_connection = connection

    def _write_loop(self) -> None:
        connection = self._writer_connection
        if connection is None:
            raise PlatformError("the database was not prepared")
        running = True
        while running:
            batch: list[_Request] = []
            request = self._requests.get()
            while request is not None:
                batch.append(request)
                if len(batch) >= _BATCH or self._requests.empty():
                    break
                request = self._requests.get()
            running = request is not None
            if batch:
                self._commit(connection, batch)
        connection.close()

    def _commit(self, connection: sqlite3.Connection, batch: list[_Request]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            if len(batch) == 1:
                self._run_alone(connection, batch[0])
            else:
                for request in batch:
                    self._run_one(connection, request)
            if connection.in_transaction:
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for request in batch:
                request.error = request.error or self._trouble(error)
        for loop in {request.loop for request in batch}:
            with suppress(RuntimeError):  # the loop is closed, and nobody waits in it any more
                loop.call_soon_threadsafe(self._deliver, [r for r in batch if r.loop is loop])

    def _run_one(self, connection: sqlite3.Connection, request: _Request) -> None:
        connection.execute("SAVEPOINT work")
        if not self._try(connection, request):
            connection.execute("ROLLBACK TO work")
        connection.execute("RELEASE work")

    def _run_alone(self, connection: sqlite3.Connection, request: _Request) -> None:
        """The transaction is all its own: no savepoint is needed."""
        if not self._try(connection, request):
            connection.execute("ROLLBACK")

    def _try(self, connection: sqlite3.Connection, request: _Request) -> bool:
        transaction = Transaction(connection, self._queries, self.vault)
        try:
            request.result = request.work(transaction)
        except sqlite3.Error as error:
            request.error = self._trouble(error)
            return False
        except Exception as error:  # noqa: BLE001 - handed to the caller that awaits the work
            request.error = error
            return False
        request.changes = tuple(transaction.changes)
        return True

    def _deliver(self, batch: list[_Request]) -> None:
        for request in batch:
            if request.error is None:
                for change in request.changes:
                    self._announce(change)
            if request.future.done():
                continue
            if request.error is not None:
                request.future.set_exception(request.error)
            else:
                request.future.set_result(request.result)

    def _announce(self, change: Change) -> None:
        for listener in self._listeners:
            try:
                listener(change)
            except Exception:  # noqa: BLE001 - a listener's fault is not the writer's
                _log.exception("a listener failed on %s", change)


def _migrate(connection: sqlite3.Connection, path: Path, stem: str) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    (have,) = connection.execute("PRAGMA user_version").fetchone()
    known = migrations(stem)
    if known and have > known[-1][0]:
        raise PlatformError(
            f"{path} was written by a newer Emberbox (schema {have}, this one knows "
            f"{known[-1][0]}): upgrade Emberbox or use another --data-dir"
        )
    missing = [script for number, script in known if number > have]
    if missing:
        # One transaction: a database has all of its new schema or none, and one sync to disk.
        scripts = "\n;\n".join(missing)
        connection.executescript(
            f"BEGIN; {scripts}\n; PRAGMA user_version = {known[-1][0]}; COMMIT;"
        )


def create_database(path: Path, stem: str) -> None:
    """Make the file with its schema ahead of `Database.open`; PlatformError if it cannot be."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            _migrate(connection, path, stem)
    except sqlite3.Error as error:
        raise PlatformError(f"{path} cannot be made: {error}") from error
