"""The database: group commit, savepoints, snapshots, the change feed, migrations."""

import asyncio
import sqlite3

import pytest

from emberbox.errors import PlatformError
from emberbox.storage import database as database_module
from emberbox.storage.database import Change, Database, create_database
from emberbox.storage.sql import Queries


@pytest.fixture
async def database(tmp_path):
    database = await Database.open(tmp_path / "logs.db", "logs")
    yield database
    await database.close()


def add(name):
    def work(tx):
        tx.run(
            "log_group_add",
            account="1",
            region="r",
            name=name,
            created_ms=0,
            group_class="STANDARD",
            is_protected=False,
            retention_days=None,
            tags="{}",
        )
        tx.changed("group", name)
        return name

    return work


def names(tx):
    row = {"account": "1", "region": "r", "low": "", "high": "~", "pattern": None, "classes": None}
    return [r["name"] for r in tx.all("log_groups", **row, limit=1000)]


async def test_an_awaited_write_is_there_after_reopening(tmp_path):
    """What write returned for is in the file."""
    database = await Database.open(tmp_path / "logs.db", "logs")
    assert await database.write(add("a")) == "a"
    await database.close()

    database = await Database.open(tmp_path / "logs.db", "logs")

    assert await database.read(names) == ["a"]
    await database.close()


async def test_many_writes_share_a_commit(database):
    """Writes made together come back together, each with its own result."""
    wanted = [f"g{i:03}" for i in range(300)]

    results = await asyncio.gather(*(database.write(add(name)) for name in wanted))

    assert results == wanted
    assert await database.read(names) == wanted


async def test_a_failing_write_undoes_only_itself(database):
    """Its neighbours in the same commit stay, and the caller gets the error as raised."""

    def half(tx):
        add("half")(tx)
        raise LookupError("half")

    results = await asyncio.gather(
        database.write(add("a")),
        database.write(half),
        database.write(add("b")),
        return_exceptions=True,
    )

    assert results[0] == "a"
    assert isinstance(results[1], LookupError)
    assert await database.read(names) == ["a", "b"]


async def test_a_cancelled_caller_does_not_undo_a_queued_write(database):
    """What has been queued is committed."""
    task = asyncio.create_task(database.write(add("a")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await database.write(add("b"))

    assert await database.read(names) == ["a", "b"]


@pytest.mark.parametrize("together", [1, 3])
async def test_a_disk_that_is_full_is_the_platforms_failure(database, together):
    """Also in the middle of some work: whoever asked may try again, and others are not hurt."""

    def full(_tx):
        raise sqlite3.OperationalError("database or disk is full")

    works = [database.write(full), *(database.write(add(f"g{n}")) for n in range(together - 1))]
    found = await asyncio.gather(*works, return_exceptions=True)

    assert isinstance(found[0], PlatformError)
    assert str(found[0]) == "logs.db: database or disk is full"
    assert found[1:] == [f"g{n}" for n in range(together - 1)]


async def test_a_read_cannot_write(database):
    """SQLite refuses it, and the next read and write work."""
    with pytest.raises(PlatformError, match="readonly"):
        await database.read(add("a"))

    await database.write(add("b"))
    assert await database.read(names) == ["b"]


async def test_listeners_hear_of_commits_before_the_writer_does(database):
    """A change is announced once it is committed; that of a failed write never."""
    heard = []
    database.subscribe(heard.append)

    def failing(tx):
        tx.changed("group", "never")
        raise LookupError

    await database.write(add("a"))
    assert heard == [Change("group", ("a",))]
    with pytest.raises(LookupError):
        await database.write(failing)
    assert heard == [Change("group", ("a",))]


async def test_a_failing_listener_keeps_nobody_waiting(database, caplog):
    """The other listeners hear, the writer returns, the fault is logged."""
    heard = []

    def failing(change):
        raise LookupError(change)

    database.subscribe(failing)
    database.subscribe(heard.append)

    async with asyncio.timeout(60):
        await database.write(add("a"))

    assert heard == [Change("group", ("a",))]
    assert "a listener failed" in caplog.text


async def test_a_closed_database_says_so(tmp_path):
    """Neither reads nor writes hang after close, which may be repeated."""
    database = await Database.open(tmp_path / "logs.db", "logs")
    await database.close()
    await database.close()

    with pytest.raises(PlatformError, match=r"logs\.db is closed"):
        await database.write(add("a"))
    with pytest.raises(PlatformError, match=r"logs\.db is closed"):
        await database.read(names)


async def test_close_commits_what_is_queued(tmp_path):
    """A write in flight is finished, not dropped."""
    database = await Database.open(tmp_path / "logs.db", "logs")
    task = asyncio.create_task(database.write(add("a")))
    await asyncio.sleep(0)

    await database.close()

    assert await task == "a"


async def test_a_file_of_a_newer_version_is_refused(tmp_path):
    """The message says what to do."""
    connection = sqlite3.connect(tmp_path / "logs.db")
    connection.execute("PRAGMA user_version = 9999")
    connection.close()

    with pytest.raises(PlatformError, match="newer Emberbox"):
        await Database.open(tmp_path / "logs.db", "logs")


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    """The error names the file."""
    (tmp_path / "logs.db").write_bytes(b"this is not a database" * 100)

    with pytest.raises(PlatformError, match=r"logs\.db cannot be opened"):
        await Database.open(tmp_path / "logs.db", "logs")


async def test_only_missing_migrations_are_applied(tmp_path, monkeypatch):
    """Each script runs once; one that fails leaves the file as it was."""
    scripts = [(1, "CREATE TABLE a (x)"), (2, "INSERT INTO a VALUES (2)")]
    monkeypatch.setattr(database_module, "migrations", lambda _stem: scripts)
    path = tmp_path / "logs.db"

    async def open_and_close():
        await (await Database.open(path, "logs")).close()

    await open_and_close()
    scripts.append((3, "INSERT INTO a VALUES (3); INSERT INTO missing VALUES (3)"))
    with pytest.raises(PlatformError, match="missing"):
        await open_and_close()
    scripts[-1] = (3, "INSERT INTO a VALUES (3); -- the end")
    await open_and_close()

    connection = sqlite3.connect(path)
    assert connection.execute("SELECT x FROM a ORDER BY x").fetchall() == [(2,), (3,)]
    assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    connection.close()


async def test_of_several_missing_migrations_all_are_applied_or_none(tmp_path, monkeypatch):
    """One that fails undoes those before it, too."""
    scripts = [(1, "CREATE TABLE a (x)"), (2, "INSERT INTO missing VALUES (2)")]
    monkeypatch.setattr(database_module, "migrations", lambda _stem: scripts)

    with pytest.raises(PlatformError, match="missing"):
        await Database.open(tmp_path / "logs.db", "logs")

    connection = sqlite3.connect(tmp_path / "logs.db")
    assert connection.execute("SELECT * FROM sqlite_master").fetchall() == []
    assert connection.execute("PRAGMA user_version").fetchone() == (0,)
    connection.close()


async def test_a_file_may_be_made_ahead(tmp_path):
    """What is opened then is as if it had been made at that moment."""
    create_database(tmp_path / "ahead.db", "logs")
    ahead = await Database.open(tmp_path / "ahead.db", "logs")
    await (await Database.open(tmp_path / "logs.db", "logs")).close()

    assert await ahead.write(add("a")) == "a"

    await ahead.close()
    schemas = []
    for name in ("ahead.db", "logs.db"):
        connection = sqlite3.connect(tmp_path / name)
        schemas.append(connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall())
        connection.close()
    assert schemas[0] == schemas[1]
    assert schemas[0]


def test_a_file_that_cannot_be_made_is_refused(tmp_path):
    """The error names the file."""
    with pytest.raises(PlatformError, match=r"logs\.db cannot be made"):
        create_database(tmp_path / "nowhere" / "logs.db", "logs")


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
async def test_durable_means_a_sync_at_each_commit(tmp_path, durable, level):
    """FULL for what must survive a power cut, NORMAL for what need not."""
    database = await Database.open(tmp_path / "logs.db", "logs", durable=durable)

    def synchronous(tx):
        return tx._connection.execute("PRAGMA synchronous").fetchone()[0]

    assert await database.write(synchronous) == level
    await database.close()


async def test_a_commit_that_fails_fails_all_its_writes(database):
    """An error of the whole transaction reaches everybody; the database goes on."""

    def breaks_the_transaction(tx):
        tx._connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")

    results = await asyncio.gather(
        database.write(add("a")),
        database.write(breaks_the_transaction),
        return_exceptions=True,
    )

    assert all(isinstance(result, Exception) for result in results)
    assert await database.read(names) == []
    assert await database.write(add("b")) == "b"


def test_query_names_stand_once():
    """Loading the same names twice is an error, not a silent replacement."""
    with pytest.raises(ValueError, match="stands twice"):
        Queries.load("logs", "logs")
