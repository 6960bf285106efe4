"""Rows of functions and aliases, to and from what they stand for."""

import sqlite3
from json import dumps, loads
from typing import Any

from emberbox.model.alias import Alias
from emberbox.model.function import FunctionVersion, Logging, State, UpdateStatus
from emberbox.storage.function_settings import settings_from, settings_text
from emberbox.storage.vault import Vault


def function_of(row: sqlite3.Row, vault: Vault) -> FunctionVersion:
    """The version in a row of functions."""
    status = row["update_status"]
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
        environment=_opened(row, vault),
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
        snap_start=bool(row["snap_start"]),
        snap_optimized=bool(row["snap_optimized"]),
        **settings_from(row["settings"]),
    )


def row_of(function: FunctionVersion, vault: Vault) -> dict[str, Any]:
    """The values of a version's row; `function_of` gives the version back."""
    status = function.update_status
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
        "stored_size": function.stored_size,
        "revision_id": function.revision_id,
        "last_modified": function.last_modified,
        "description": function.description,
        "timeout_s": function.timeout_s,
        "memory_mb": function.memory_mb,
        "ephemeral_mb": function.ephemeral_mb,
        "environment": _sealed(function, vault),
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
        "snap_start": function.snap_start,
        "snap_optimized": function.snap_optimized,
        "settings": settings_text(function),
    }


def _sealed(function: FunctionVersion, vault: Vault) -> bytes | None:
    """Environment variables hold what must stay secret."""
    if function.environment is None:
        return None
    text = dumps(dict(function.environment))
    return vault.seal(text, _label(*function.key, function.version))


def _opened(row: sqlite3.Row, vault: Vault) -> dict[str, str] | None:
    kept = row["environment"]
    if kept is None:
        return None
    label = _label(row["account"], row["region"], row["name"], row["version"])
    found: dict[str, str] = loads(kept if isinstance(kept, str) else vault.open(kept, label))
    return found


def _label(account: str, region: str, name: str, version: str) -> str:
    return f"environment of {account} {region} {name} {version}"


def alias_of(row: sqlite3.Row) -> Alias:
    """The alias in a row."""
    return Alias(
        account=row["account"],
        region=row["region"],
        function=row["function"],
        name=row["name"],
        version=row["version"],
        description=row["description"],
        weights=loads(row["weights"]),
        revision_id=row["revision_id"],
    )


def row_of_alias(alias: Alias) -> dict[str, Any]:
    """The values of an alias's row; `alias_of` gives the alias back."""
    return {
        "account": alias.account,
        "region": alias.region,
        "function": alias.function,
        "name": alias.name,
        "version": alias.version,
        "description": alias.description,
        "weights": dumps(dict(alias.weights)),
        "revision_id": alias.revision_id,
    }
