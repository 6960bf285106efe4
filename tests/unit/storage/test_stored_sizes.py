"""How much code an account has, in a database from before code could stay in a bucket."""

import sqlite3

import emberbox.storage.database as database_module
from emberbox.storage.catalog import CatalogWriter, FunctionCatalog, FunctionKey
from emberbox.storage.database import Database
from emberbox.storage.functions import FunctionStore
from emberbox.storage.layers import LayerStore
from emberbox.storage.sql import migrations

ROWS = (
    ("functions", {"version": "$LATEST", "code_size": 70}),
    (
        "layer_versions",
        {"number": 1, "code_size": 30},
    ),
)
TEXTS = {"state": "Active", "update_status": None, "tags": "{}", "settings": "{}"}


async def test_what_was_there_counts_as_before(tmp_path, monkeypatch):
    """And when it goes, as much goes as had come."""
    before = [each for each in migrations("state") if each[0] < 10]
    monkeypatch.setattr(database_module, "migrations", lambda _stem: before)
    place = tmp_path / "state.db"
    await (await Database.open(place, "state", ("functions",), durable=False)).close()
    with sqlite3.connect(place) as connection:
        for table, given in ROWS:
            _insert(connection, table, {"account": "1", "region": "r", "name": "n", **given})
    connection.close()
    monkeypatch.undo()

    database = await Database.open(place, "state", ("functions", "layers"), durable=False)
    store = FunctionStore(CatalogWriter(database, FunctionCatalog()))
    usage = await store.usage("1", "r")
    await store.delete(FunctionKey("1", "r", "n"))
    rest = await store.usage("1", "r")
    await LayerStore(database).delete(FunctionKey("1", "r", "n"), 1)
    nothing = await store.usage("1", "r")
    await database.close()

    assert (usage.code_size, rest.code_size, nothing.code_size) == (100, 30, 0)


def _insert(connection, table, given):
    """A row with these values, and something in whatever else it must have."""
    row = {}
    for _, name, kind, needed, default, _ in connection.execute(f"PRAGMA table_info({table})"):
        if name in given:
            row[name] = given[name]
        elif needed and default is None:
            row[name] = TEXTS.get(name, "" if kind == "TEXT" else 0)
    marks = ", ".join("?" * len(row))
    connection.execute(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})",
        tuple(row.values()),
    )
