"""Functions in the state database, and the catalog that the invoke path reads instead.

What is refused raises an error of this module, and the service above words it. Every write is
announced to the database's change feed as ("function", account, region, name).
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from json import dumps, loads
from typing import Any, NamedTuple, TypeVar

from emberbox.model.function import FunctionVersion, Logging, State, UpdateStatus
from emberbox.model.names import LATEST
from emberbox.storage.database import Database, Transaction, Work

log = logging.getLogger("emberbox.functions")

Alter = Callable[[FunctionVersion], FunctionVersion]
Listener = Callable[[FunctionVersion | None, FunctionVersion | None], None]
After = TypeVar("After", bound=FunctionVersion | None)


class FunctionExistsError(Exception):
    """A function of that name exists."""


class FunctionMissingError(LookupError):
    """There is no function of that name."""


class CodeStorageFullError(Exception):
    """The account's code in the region would be larger than allowed."""


class FunctionKey(NamedTuple):
    """The full name of a function."""

    account: str
    region: str
    name: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account has in a region."""

    code_size: int
    functions: int


class FunctionCatalog:
    """All functions in memory, as the last committed write left them.

    `listeners` are called in the event loop with each function before and after a change, in the
    order of the commits and before the writer's call returns; None stands for no function.
    """

    def __init__(self) -> None:
        self._functions: dict[tuple[str, str, str], FunctionVersion] = {}
        self.listeners: list[Listener] = []

    def lookup(self, account: str, region: str, name: str) -> FunctionVersion | None:
        """The `$LATEST` version of a function, or None if there is no such function."""
        return self._functions.get((account, region, name))

    def runtimes(self) -> set[str]:
        """Identifiers of all runtimes that functions use."""
        return {function.runtime for function in self._functions.values()}

    def fill(self, functions: Iterable[FunctionVersion]) -> None:
        """Begin with these; no listener hears of it."""
        self._functions = {function.key: function for function in functions}

    def replace(self, key: FunctionKey, after: FunctionVersion | None) -> None:
        """Take over what was committed. For the store alone."""
        before = self._functions.pop(key, None)
        if after is not None:
            self._functions[key] = after
        for listener in self.listeners:
            try:
                listener(before, after)
            except Exception:
                log.exception("a listener failed on the change of function %s", key.name)


class FunctionStore:
    """Functions on disk. After a write has returned, the catalog shows it."""

    def __init__(self, database: Database, catalog: FunctionCatalog) -> None:
        self._database = database
        self._catalog = catalog
        self._writes: set[asyncio.Task[Any]] = set()

    async def load(self) -> None:
        """Fill the catalog; before the first write."""
        rows = await self._database.read(lambda tx: tx.all("functions_of_all", version=LATEST))
        self._catalog.fill(map(function_of, rows))

    async def create(self, function: FunctionVersion, code_max_bytes: int) -> None:
        """Add a function; FunctionExistsError or CodeStorageFullError, and no change."""

        def work(tx: Transaction) -> FunctionVersion:
            if not tx.run("function_add", **row_of(function)):
                raise FunctionExistsError(function.name)
            _check_code_size(tx, function, code_max_bytes)
            tx.changed("function", *function.key)
            return function

        await self._write(FunctionKey(*function.key), work)

    async def update(
        self, key: FunctionKey, alter: Alter, code_max_bytes: int | None = None
    ) -> FunctionVersion:
        """Replace `$LATEST` by what `alter` makes of it; the new one.

        `alter` runs in the writer's thread: it must be pure. Between what it is given and what it
        returns nothing else is written. What it raises is raised here and nothing is changed, nor
        after FunctionMissingError or CodeStorageFullError.
        """

        def work(tx: Transaction) -> FunctionVersion:
            before = _existing(tx, key)
            after = alter(before)
            tx.run("function_put", **row_of(after))
            if code_max_bytes is not None and after.code_size > before.code_size:
                _check_code_size(tx, after, code_max_bytes)
            tx.changed("function", *key)
            return after

        return await self._write(key, work)

    async def delete(self, key: FunctionKey) -> None:
        """Remove a function with all its versions, or FunctionMissingError."""

        def work(tx: Transaction) -> None:
            if not tx.run("function_remove", **key._asdict()):
                raise FunctionMissingError(key.name)
            tx.changed("function", *key)

        await self._write(key, work)

    async def get(self, key: FunctionKey, version: str = LATEST) -> FunctionVersion | None:
        """One version of a function, or None."""
        row = await self._database.read(
            lambda tx: tx.one("function", **key._asdict(), version=version)
        )
        return None if row is None else function_of(row)

    async def page(
        self, account: str, region: str, *, after: str, limit: int
    ) -> list[FunctionVersion]:
        """`$LATEST` of the functions whose names come after `after`, by name."""

        def work(tx: Transaction) -> list[sqlite3.Row]:
            return tx.all(
                "function_page",
                account=account,
                region=region,
                after=after,
                version=LATEST,
                limit=limit,
            )

        return [function_of(row) for row in await self._database.read(work)]

    async def usage(self, account: str, region: str) -> Usage:
        """What an account has in a region."""
        row = await self._database.read(
            lambda tx: tx.all("functions_usage", account=account, region=region)[0]
        )
        return Usage(row["code_size"], row["functions"])

    async def unsettled(self) -> list[FunctionVersion]:
        """Functions whose creation, or an update of them, has not come to an end."""
        rows = await self._database.read(
            lambda tx: tx.all(
                "functions_unsettled",
                state=State.PENDING.value,
                update_status=UpdateStatus.IN_PROGRESS.value,
            )
        )
        return [function_of(row) for row in rows]

    async def package_ids(self) -> set[str]:
        """The code packages that functions use."""
        rows = await self._database.read(lambda tx: tx.all("functions_packages"))
        return {row["package_id"] for row in rows}

    async def _write(self, key: FunctionKey, work: Work[After]) -> After:
        """Commit and tell the catalog, even if the caller goes away in between."""
        task = asyncio.get_running_loop().create_task(self._commit(key, work))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def _commit(self, key: FunctionKey, work: Work[After]) -> After:
        # Tasks that await commits wake in the order of the commits, and nothing is awaited between
        # that and the catalog: so the catalog goes through the same states as the database.
        after = await self._database.write(work)
        self._catalog.replace(key, after)
        return after


def function_of(row: sqlite3.Row) -> FunctionVersion:
    """The version in a row of functions."""
    status, environment = row["update_status"], row["environment"]
    return FunctionVersion(
        account=row["account"],
        region=row["region"],
        name=row["name"],
        version=row["version"],
        role=row["role"],
        runtime=row["runtime"],
        handler=row["handler"],
        package_id=row["package_id"],
        code_sha256=row["code_sha256"],
        code_size=row["code_size"],
        revision_id=row["revision_id"],
        last_modified=row["last_modified"],
        description=row["description"],
        timeout_s=row["timeout_s"],
        memory_mb=row["memory_mb"],
        ephemeral_mb=row["ephemeral_mb"],
        environment=None if environment is None else loads(environment),
        architecture=row["architecture"],
        tracing_mode=row["tracing_mode"],
        logging=Logging(
            row["log_group"],
            row["log_format"],
            row["log_application_level"],
            row["log_system_level"],
        ),
        state=State(row["state"]),
        state_reason=row["state_reason"],
        state_reason_code=row["state_reason_code"],
        update_status=None if status is None else UpdateStatus(status),
        update_reason=row["update_reason"],
        update_reason_code=row["update_reason_code"],
        tags=loads(row["tags"]),
    )


def row_of(function: FunctionVersion) -> dict[str, Any]:
    """The values of a version's row; `function_of` gives the version back."""
    status, environment = function.update_status, function.environment
    return {
        "account": function.account,
        "region": function.region,
        "name": function.name,
        "version": function.version,
        "role": function.role,
        "runtime": function.runtime,
        "handler": function.handler,
        "package_id": function.package_id,
        "code_sha256": function.code_sha256,
        "code_size": function.code_size,
        "revision_id": function.revision_id,
        "last_modified": function.last_modified,
        "description": function.description,
        "timeout_s": function.timeout_s,
        "memory_mb": function.memory_mb,
        "ephemeral_mb": function.ephemeral_mb,
        "environment": None if environment is None else dumps(dict(environment)),
        "architecture": function.architecture,
        "tracing_mode": function.tracing_mode,
        "log_group": function.logging.group,
        "log_format": function.logging.format,
        "log_application_level": function.logging.application_level,
        "log_system_level": function.logging.system_level,
        "state": function.state.value,
        "state_reason": function.state_reason,
        "state_reason_code": function.state_reason_code,
        "update_status": None if status is None else status.value,
        "update_reason": function.update_reason,
        "update_reason_code": function.update_reason_code,
        "tags": dumps(dict(function.tags)),
    }


def _existing(tx: Transaction, key: FunctionKey) -> FunctionVersion:
    row = tx.one("function", **key._asdict(), version=LATEST)
    if row is None:
        raise FunctionMissingError(key.name)
    return function_of(row)


def _check_code_size(tx: Transaction, function: FunctionVersion, code_max_bytes: int) -> None:
    [row] = tx.all("functions_code_size", account=function.account, region=function.region)
    if row["code_size"] > code_max_bytes:
        raise CodeStorageFullError(function.name)
