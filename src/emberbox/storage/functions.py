"""Functions and their versions in the state database.

What is refused raises an error of this module, and the service above words it. Every write is
announced to the database's change feed as ("function", account, region, name).
"""

from collections.abc import Callable, Iterable

from emberbox.model.attachment import Attachment
from emberbox.model.function import FunctionVersion, Layer, State, UpdateStatus, opt_name
from emberbox.model.names import LATEST, PUBLISHED
from emberbox.model.versions import LastPublished, Publication, is_unchanged, published
from emberbox.records import dataclass
from emberbox.storage.attachments import put_attachment
from emberbox.storage.catalog import CatalogWriter, Delta, FunctionKey
from emberbox.storage.database import Transaction
from emberbox.storage.function_rows import alias_of, function_of, row_of
from emberbox.storage.function_settings import settings_from

Alter = Callable[[FunctionVersion], FunctionVersion]

_BELONGINGS = ("function_aliases_remove", "reserved_remove")
"""What goes with a function: statements that take its account, region and name."""


class FunctionExistsError(Exception):
    """A function of that name exists."""


class FunctionMissingError(LookupError):
    """There is no function of that name."""


class CodeStorageFullError(Exception):
    """The account's code in the region would be larger than allowed."""


class VersionInUseError(Exception):
    """Aliases point at the version; `args` are their names."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account has in a region; layers are code too."""

    code_size: int
    functions: int


class FunctionStore:
    """Functions on disk. After a write has returned, the catalog shows it."""

    def __init__(self, writer: CatalogWriter) -> None:
        self._writer = writer
        self._database = writer.database

    async def load(self) -> None:
        """Fill the catalog; before the first write. What was kept unsealed is sealed now."""
        await self._database.write(_seal)
        versions = await self._database.read(lambda tx: tx.all("functions_of_all"))
        aliases = await self._database.read(lambda tx: tx.all("aliases_of_all"))
        reserved = await self._database.read(lambda tx: tx.all("reserved_of_all"))
        catalog = self._writer.catalog
        catalog.fill(versions, map(alias_of, aliases), self._database.vault)
        for row in reserved:
            catalog.reserve((row["account"], row["region"], row["name"]), row["reserved"])

    async def create(
        self,
        function: FunctionVersion,
        code_max_bytes: int,
        wanted: Publication | None = None,
        attachments: Iterable[Attachment] = (),
    ) -> FunctionVersion:
        """Add a function, and publish it if that is wanted; the version, else the function.

        `attachments` are what hangs on it from the beginning.

        FunctionExistsError or CodeStorageFullError, and no change.
        """
        key = FunctionKey(*function.key)

        def work(tx: Transaction) -> tuple[FunctionVersion, Delta]:
            if not tx.run("function_add", **row_of(function, tx.vault)):
                raise FunctionExistsError(function.name)
            answer = function
            delta = Delta.of(function)
            if wanted is not None:
                answer = _publish(tx, function, wanted)
                delta = Delta.of(function, answer)
            check_code_size(tx, key.account, key.region, code_max_bytes)
            for attachment in attachments:
                put_attachment(tx, key, attachment)
                delta.attachments[attachment.kind, attachment.qualifier] = attachment
            tx.changed("function", *key)
            return answer, delta

        return await self._writer.write(key, work)

    async def update(
        self,
        key: FunctionKey,
        alter: Alter,
        code_max_bytes: int | None = None,
        *,
        version: str = LATEST,
        wanted: Publication | None = None,
    ) -> FunctionVersion:
        """Replace a version by what `alter` makes of it, and publish that if it is wanted.

        The answer is the published version, else the altered one. `alter` runs in the writer's
        thread: it must be pure. Between what it is given and what it returns nothing else is
        written. What it raises is raised here and nothing is changed, nor after
        FunctionMissingError or CodeStorageFullError.
        """

        def work(tx: Transaction) -> tuple[FunctionVersion, Delta]:
            before = _existing(tx, key, version)
            after = answer = alter(before)
            tx.run("function_put", **row_of(after, tx.vault))
            if wanted is not None:
                answer = _publish(tx, after, wanted)
            if code_max_bytes is not None and (wanted or after.stored_size > before.stored_size):
                check_code_size(tx, key.account, key.region, code_max_bytes)
            tx.changed("function", *key)
            return answer, Delta.of(after, answer)

        return await self._writer.write(key, work)

    async def publish(
        self, key: FunctionKey, alter: Alter, wanted: Publication, code_max_bytes: int
    ) -> FunctionVersion:
        """Publish `$LATEST` as it is; the new version, or the last one if nothing has changed.

        `alter` makes the next revision of `$LATEST`, if there is a new version; see `update`.
        """

        def work(tx: Transaction) -> tuple[FunctionVersion, Delta]:
            before = _existing(tx, key)
            after = alter(before)
            last = _repeated(tx, before, wanted)
            if last is not None:
                return last, Delta()
            tx.run("function_put", **row_of(after, tx.vault))
            answer = _publish(tx, after, wanted)
            check_code_size(tx, key.account, key.region, code_max_bytes)
            tx.changed("function", *key)
            return answer, Delta.of(after, answer)

        return await self._writer.write(key, work)

    async def delete(self, key: FunctionKey) -> None:
        """Remove a function with all that is part of it, or FunctionMissingError."""

        def work(tx: Transaction) -> tuple[None, Delta]:
            gone = [row["version"] for row in tx.all("function_versions", **key._asdict())]
            if not gone:
                raise FunctionMissingError(key.name)
            tx.run("function_remove", **key._asdict())
            aliases = _aliases(tx, key)
            for statement in _BELONGINGS:
                tx.run(statement, **key._asdict())
            tx.changed("function", *key)
            return None, Delta(dict.fromkeys(gone, None), dict.fromkeys(aliases, None))

        await self._writer.write(key, work)

    async def delete_version(self, key: FunctionKey, version: str) -> None:
        """Remove a published version; one that is not there does no harm.

        FunctionMissingError without the function, VersionInUseError if aliases point at it.
        """

        def work(tx: Transaction) -> tuple[None, Delta]:
            _existing(tx, key)
            users = [name for name, uses in _aliases(tx, key).items() if version in uses]
            if users:
                raise VersionInUseError(*users)
            if not tx.run("function_version_remove", **key._asdict(), version=version):
                return None, Delta()
            tx.changed("function", *key)
            return None, Delta({version: None})

        await self._writer.write(key, work)

    async def get(self, key: FunctionKey, version: str = LATEST) -> FunctionVersion | None:
        """One version of a function, or None."""
        row = await self._database.read(
            lambda tx: tx.one("function", **key._asdict(), version=version)
        )
        return None if row is None else function_of(row, self._database.vault)

    async def page_of_all(
        self, account: str, region: str, *, after: str, after_number: int, limit: int
    ) -> list[FunctionVersion]:
        """All versions of all functions, by name and number, `$LATEST` being 0."""
        rows = await self._database.read(
            lambda tx: tx.all(
                "functions_all_page",
                account=account,
                region=region,
                after=after,
                after_number=after_number,
                limit=limit,
            )
        )
        return [function_of(row, self._database.vault) for row in rows]

    async def page_of_versions(
        self, key: FunctionKey, *, after_number: int, limit: int
    ) -> list[FunctionVersion]:
        """The versions of a function by number, `$LATEST` being 0."""
        rows = await self._database.read(
            lambda tx: tx.all(
                "function_versions_page", **key._asdict(), after_number=after_number, limit=limit
            )
        )
        return [function_of(row, self._database.vault) for row in rows]

    async def usage(self, account: str, region: str) -> Usage:
        """What an account has in a region."""

        def work(tx: Transaction) -> Usage:
            [count] = tx.all("functions_count", account=account, region=region, version=LATEST)
            return Usage(_code_size(tx, account, region), count["functions"])

        return await self._database.read(work)

    async def unsettled(self) -> list[FunctionVersion]:
        """Versions whose creation, or an update of them, has not come to an end."""
        rows = await self._database.read(
            lambda tx: tx.all(
                "functions_unsettled",
                state=State.PENDING.value,
                update_status=UpdateStatus.IN_PROGRESS.value,
            )
        )
        return [function_of(row, self._database.vault) for row in rows]

    async def active(self) -> list[tuple[FunctionKey, str]]:
        """The versions that are Active."""
        rows = await self._database.read(
            lambda tx: tx.all("functions_in", state=State.ACTIVE.value)
        )
        return [
            (FunctionKey(row["account"], row["region"], row["name"]), row["version"])
            for row in rows
        ]

    async def asleep(self) -> set[str]:
        """The packages of Inactive versions that no other version uses."""
        rows = await self._database.read(
            lambda tx: tx.all("functions_asleep", state=State.INACTIVE.value)
        )
        held = {layer.package_id for each in await self._layers() for layer in each}
        return {row["package_id"] for row in rows} - held

    async def package_ids(self) -> set[str]:
        """The packages that functions use: their code, and the layers that they hold."""
        rows = await self._database.read(lambda tx: tx.all("functions_packages"))
        layers = await self._layers()
        held = {layer.package_id for each in layers for layer in each}
        return held.union(row["package_id"] for row in rows)

    async def opt_names(self) -> set[str]:
        """The trees that functions see at /opt."""
        return {name for each in await self._layers() if (name := opt_name(each)) is not None}

    async def _layers(self) -> set[tuple[Layer, ...]]:
        rows = await self._database.read(lambda tx: tx.all("functions_layers"))
        return {settings_from(row["settings"]).get("layers", ()) for row in rows}


def _existing(tx: Transaction, key: FunctionKey, version: str = LATEST) -> FunctionVersion:
    row = tx.one("function", **key._asdict(), version=version)
    if row is None:
        raise FunctionMissingError(key.name)
    return function_of(row, tx.vault)


def _aliases(tx: Transaction, key: FunctionKey) -> dict[str, frozenset[str]]:
    """The aliases of a function, each with the versions that it leads to."""
    rows = tx.all("function_aliases", account=key.account, region=key.region, function=key.name)
    return {alias.name: alias.versions for alias in map(alias_of, rows)}


def _last_published(tx: Transaction, latest: FunctionVersion) -> LastPublished | None:
    """The version that was published last, unless it was deleted."""
    account, region, name = latest.key
    given = tx.one("version_number", account=account, region=region, name=name)
    if given is None:
        return None
    row = tx.one(
        "function", account=account, region=region, name=name, version=str(given["number"])
    )
    return None if row is None else LastPublished(function_of(row, tx.vault), given["description"])


def _repeated(
    tx: Transaction, latest: FunctionVersion, wanted: Publication
) -> FunctionVersion | None:
    """The version that was published last, if another number would only repeat it."""
    last = None if wanted.renews else _last_published(tx, latest)
    return last.version if last is not None and is_unchanged(latest, last) else None


def _publish(tx: Transaction, latest: FunctionVersion, wanted: Publication) -> FunctionVersion:
    """The version that is `$LATEST` as it is: a new one, unless the last one is the same."""
    if wanted.renews:
        return _renew(tx, latest, wanted)
    last = _repeated(tx, latest, wanted)
    if last is not None:
        return last
    account, region, name = latest.key
    given = tx.one("version_number", account=account, region=region, name=name)
    number = 1 if given is None else given["number"] + 1
    version = published(latest, str(number), wanted)
    tx.run("function_add", **row_of(version, tx.vault))
    tx.run(
        "version_number_put",
        account=account,
        region=region,
        name=name,
        number=number,
        description=latest.description,
    )
    return version


def _renew(tx: Transaction, latest: FunctionVersion, wanted: Publication) -> FunctionVersion:
    """`$LATEST.PUBLISHED`, made or made anew; what hangs on it stays."""
    version = published(latest, PUBLISHED, wanted)
    row = row_of(version, tx.vault)
    if not tx.run("function_add", **row):
        tx.run("function_put", **row)
    return version


def check_code_size(tx: Transaction, account: str, region: str, code_max_bytes: int) -> None:
    """CodeStorageFullError if functions and layers have more code than allowed."""
    if _code_size(tx, account, region) > code_max_bytes:
        raise CodeStorageFullError(account)


def _code_size(tx: Transaction, account: str, region: str) -> int:
    row = tx.one("code_size", account=account, region=region)
    return 0 if row is None else int(row["code_size"])


def _seal(tx: Transaction) -> None:
    for row in tx.all("functions_unsealed"):
        tx.run("function_put", **row_of(function_of(row, tx.vault), tx.vault))
