"""Layer versions in the state database."""

import sqlite3
from collections.abc import Callable
from dataclasses import asdict, replace
from json import dumps, loads
from typing import Any, NamedTuple

from emberbox.model.function import CodeObject
from emberbox.model.layers import LayerStatement, LayerVersion
from emberbox.storage.database import Database, Transaction
from emberbox.storage.functions import check_code_size


class LayerKey(NamedTuple):
    """The full name of a layer."""

    account: str
    region: str
    name: str


class LayerMissingError(LookupError):
    """There is no such layer version."""


class LayerStore:
    """Layers on disk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def publish(self, version: LayerVersion, code_max_bytes: int) -> LayerVersion:
        """Add a version under the next number of its layer; CodeStorageFullError if too much."""

        def work(tx: Transaction) -> LayerVersion:
            key = LayerKey(version.account, version.region, version.name)
            last = tx.one("layer_number", **key._asdict())
            made = replace(version, number=1 if last is None else last["number"] + 1)
            tx.run("layer_version_add", **_row_of(made))
            tx.run("layer_number_put", **key._asdict(), number=made.number)
            check_code_size(tx, key.account, key.region, code_max_bytes)
            return made

        return await self._database.write(work)

    async def get(self, key: LayerKey, number: int) -> LayerVersion | None:
        """One version, or None."""
        row = await self._database.read(
            lambda tx: tx.one("layer_version", **key._asdict(), number=number)
        )
        return None if row is None else _version_of(row)

    async def delete(self, key: LayerKey, number: int) -> None:
        """Remove a version; one that is not there does no harm. Functions that hold it keep it."""
        await self._database.write(
            lambda tx: tx.run("layer_version_remove", **key._asdict(), number=number)
        )

    async def alter_policy(
        self,
        key: LayerKey,
        number: int,
        alter: Callable[[LayerVersion], tuple[LayerStatement, ...]],
        revision: str,
    ) -> LayerVersion:
        """Give a version the policy that `alter`, which must be pure, makes; LayerMissingError."""

        def work(tx: Transaction) -> LayerVersion:
            row = tx.one("layer_version", **key._asdict(), number=number)
            if row is None:
                raise LayerMissingError(key.name)
            before = _version_of(row)
            after = replace(before, policy=alter(before), policy_revision=revision)
            changed = _row_of(after)
            tx.run(
                "layer_version_policy_put",
                **key._asdict(),
                number=number,
                policy=changed["policy"],
                policy_revision=revision,
            )
            return after

        return await self._database.write(work)

    async def versions(
        self, key: LayerKey, *, below: int, limit: int, fits: Callable[[LayerVersion], bool]
    ) -> list[LayerVersion]:
        """The newest versions with a number below that fit, the newest first."""
        rows = await self._database.read(
            lambda tx: tx.all("layer_versions_down_from", **key._asdict(), below=below)
        )
        return [version for version in map(_version_of, rows) if fits(version)][:limit]

    async def layers(
        self,
        account: str,
        region: str,
        *,
        after: str,
        limit: int,
        fits: Callable[[LayerVersion], bool],
    ) -> list[LayerVersion]:
        """By name, the newest version that fits of each layer that has one."""

        def work(tx: Transaction) -> list[LayerVersion]:
            found: list[LayerVersion] = []
            for row in tx.all("layers_after", account=account, region=region, after=after):
                key = LayerKey(account, region, row["name"])
                rows = tx.all("layer_versions_down_from", **key._asdict(), below=1 << 62)
                newest = next(filter(fits, map(_version_of, rows)), None)
                if newest is not None:
                    found.append(newest)
                if len(found) == limit:
                    break
            return found

        return await self._database.read(work)

    async def package_ids(self) -> set[str]:
        """The packages of all layer versions."""
        rows = await self._database.read(lambda tx: tx.all("layers_packages"))
        return {row["package_id"] for row in rows}


_PLAIN = (
    "account",
    "region",
    "name",
    "number",
    "package_id",
    "code_sha256",
    "code_size",
    "unzipped_size",
    "created",
    "description",
    "license_info",
    "policy_revision",
)
"""Fields that are columns as they are."""


def _version_of(row: sqlite3.Row) -> LayerVersion:
    return LayerVersion(
        account=row["account"],
        region=row["region"],
        name=row["name"],
        number=row["number"],
        package_id=row["package_id"],
        code_sha256=row["code_sha256"],
        code_size=row["code_size"],
        unzipped_size=row["unzipped_size"],
        created=row["created"],
        description=row["description"],
        runtimes=_tuple(row["runtimes"]),
        architectures=_tuple(row["architectures"]),
        license_info=row["license_info"],
        policy=tuple(LayerStatement(**each) for each in loads(row["policy"])),
        policy_revision=row["policy_revision"],
        code_object=row["code_object"] and CodeObject(**loads(row["code_object"])),
    )


def _row_of(version: LayerVersion) -> dict[str, Any]:
    return {
        **{name: getattr(version, name) for name in _PLAIN},
        "stored_size": version.stored_size,
        "code_object": version.code_object and dumps(asdict(version.code_object)),
        "runtimes": None if version.runtimes is None else dumps(version.runtimes),
        "architectures": None if version.architectures is None else dumps(version.architectures),
        "policy": dumps([asdict(each) for each in version.policy]),
    }


def _tuple(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(loads(text))
