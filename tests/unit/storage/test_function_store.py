"""The function store and the catalog that follows it."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.function import FunctionVersion, Logging, State, UpdateStatus
from emberbox.storage.catalog import CatalogWriter, FunctionCatalog, FunctionKey
from emberbox.storage.database import Database
from emberbox.storage.function_rows import function_of, row_of
from emberbox.storage.functions import (
    CodeStorageFullError,
    FunctionExistsError,
    FunctionMissingError,
    FunctionStore,
)
from emberbox.storage.vault import NoVault

ROOM = 1_000_000
KEY = FunctionKey("123456789012", "us-east-1", "f")
TEXT = st.text(max_size=20)
MAYBE = st.none() | TEXT
MAPS = st.dictionaries(TEXT, TEXT, max_size=3)


def function(name="f", **changes):
    """A function that could have been created."""
    base = FunctionVersion(
        account=KEY.account,
        region=KEY.region,
        name=name,
        role="arn:aws:iam::123456789012:role/r",
        runtime="python3.12",
        handler="app.handler",
        package_id="ab" * 32,
        code_sha256="q6urq6s=",
        code_size=100,
        revision_id="1",
        last_modified=1_700_000_000.125,
        logging=Logging(f"/aws/lambda/{name}"),
    )
    return replace(base, **changes)


@pytest.fixture
async def database(tmp_path):
    database = await Database.open(tmp_path / "state.db", "state", ("functions",), durable=False)
    yield database
    await database.close()


@pytest.fixture
def catalog():
    return FunctionCatalog()


@pytest.fixture
def store(database, catalog):
    return FunctionStore(CatalogWriter(database, catalog))


@given(
    st.builds(
        FunctionVersion,
        account=TEXT,
        region=TEXT,
        name=TEXT,
        role=TEXT,
        runtime=TEXT,
        handler=TEXT,
        package_id=TEXT,
        code_sha256=TEXT,
        code_size=st.integers(0, 2**40),
        revision_id=TEXT,
        last_modified=st.floats(0, 2**33),
        logging=st.builds(
            Logging, group=TEXT, format=TEXT, application_level=MAYBE, system_level=MAYBE
        ),
        version=TEXT,
        description=TEXT,
        timeout_s=st.integers(1, 900),
        memory_mb=st.integers(128, 10_240),
        ephemeral_mb=st.integers(512, 10_240),
        environment=st.none() | MAPS,
        architecture=TEXT,
        tracing_mode=TEXT,
        state=st.sampled_from(State),
        state_reason=MAYBE,
        state_reason_code=MAYBE,
        update_status=st.none() | st.sampled_from(UpdateStatus),
        update_reason=MAYBE,
        update_reason_code=MAYBE,
        tags=MAPS,
    )
)
def test_a_row_gives_its_version_back(version):
    """Nothing is lost between a version and its row."""
    assert function_of(row_of(version, NoVault()), NoVault()) == version


async def test_a_created_function_is_there_at_once(store, catalog):
    """Store and catalog show a function when create returns."""
    await store.create(function(environment={"A": "b"}, tags={"t": "1"}), ROOM)

    assert await store.get(KEY) == function(environment={"A": "b"}, tags={"t": "1"})
    assert catalog.lookup(*KEY) == await store.get(KEY)
    assert catalog.lookup(KEY.account, "eu-west-1", "f") is None


async def test_a_name_is_taken_once(store, catalog):
    """A second create is refused and changes nothing, but other regions and accounts are free."""
    await store.create(function(), ROOM)

    with pytest.raises(FunctionExistsError):
        await store.create(function(description="second"), ROOM)
    await store.create(function(region="eu-west-1"), ROOM)
    await store.create(function(account="210987654321"), ROOM)

    assert catalog.lookup(*KEY) == function()


async def test_all_of_a_function_can_change(store, catalog):
    """An update replaces every column that is not part of the key."""
    await store.create(function(), ROOM)
    other = function(
        role="arn:aws:iam::123456789012:role/other",
        runtime="python3.13",
        handler="x.y",
        package_id="cd" * 32,
        code_sha256="zc0=",
        code_size=7,
        revision_id="2",
        last_modified=1.5,
        description="d",
        timeout_s=9,
        memory_mb=256,
        ephemeral_mb=1_024,
        environment={"K": "v"},
        architecture="arm64",
        tracing_mode="Active",
        logging=Logging("g", "JSON", "INFO", "WARN"),
        state=State.ACTIVE,
        state_reason=None,
        state_reason_code=None,
        update_status=UpdateStatus.IN_PROGRESS,
        update_reason="r",
        update_reason_code="c",
        tags={"t": "u"},
    )

    answer = await store.update(KEY, lambda _before: other)

    assert answer == other
    assert await store.get(KEY) == other
    assert catalog.lookup(*KEY) == other


async def test_an_update_that_raises_changes_nothing(store, catalog):
    """What the change raises reaches the caller."""
    await store.create(function(), ROOM)

    def refuse(_before):
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await store.update(KEY, refuse)

    assert catalog.lookup(*KEY) == function()


async def test_what_is_not_there_cannot_be_changed(store):
    """Updates and deletes of nothing are refused."""
    with pytest.raises(FunctionMissingError):
        await store.update(KEY, lambda before: before)
    with pytest.raises(FunctionMissingError):
        await store.delete(KEY)


async def test_a_deleted_function_is_gone(store, catalog):
    """Store and catalog forget it, and its name is free."""
    await store.create(function(), ROOM)

    await store.delete(KEY)

    assert await store.get(KEY) is None
    assert catalog.lookup(*KEY) is None
    await store.create(function(), ROOM)


async def test_code_storage_is_limited_by_account_and_region(store):
    """The sum of all code sizes stays within the limit; other regions do not count."""
    await store.create(function(code_size=60), 100)

    with pytest.raises(CodeStorageFullError):
        await store.create(function("g", code_size=41), 100)
    await store.create(function("g", code_size=40), 100)
    await store.create(function(region="eu-west-1", code_size=100), 100)
    with pytest.raises(CodeStorageFullError):
        await store.update(KEY, lambda before: replace(before, code_size=61), 100)
    await store.update(KEY, lambda before: replace(before, code_size=59), 50)

    usage = await store.usage(KEY.account, KEY.region)
    assert (usage.code_size, usage.functions) == (99, 2)


async def test_pages_go_by_name(store, catalog):
    """A page holds the functions of one account and region that come after a name."""
    for name in ("c", "a", "b", "A"):
        await store.create(function(name), ROOM)
    await store.create(function("b2", region="eu-west-1"), ROOM)

    page = catalog.page(KEY.account, KEY.region, after="A", limit=2)

    assert [found.name for found in page] == ["a", "b"]
    assert catalog.page("210987654321", KEY.region, after="", limit=2) == []


async def test_pages_go_on_where_a_function_was_deleted(database, store, catalog):
    """The name that a page ended with need not be there any more; a new start shows the same."""
    for name in ("d", "b", "a", "c"):
        await store.create(function(name), ROOM)
    await store.delete(FunctionKey(KEY.account, KEY.region, "b"))
    await store.create(function("bb"), ROOM)
    later = FunctionCatalog()
    await FunctionStore(CatalogWriter(database, later)).load()

    for seen in (catalog, later):
        page = seen.page(KEY.account, KEY.region, after="b", limit=9)
        assert [found.name for found in page] == ["bb", "c", "d"]


async def test_packages_in_use_are_known(store):
    """Each package of any account is listed once."""
    await store.create(function("a"), ROOM)
    await store.create(function("b"), ROOM)
    await store.create(function("b", region="eu-west-1", package_id="cd" * 32), ROOM)

    assert await store.package_ids() == {"ab" * 32, "cd" * 32}


async def test_the_catalog_is_filled_at_the_start(database, store):
    """A new catalog knows what was stored before it."""
    await store.create(function(), ROOM)
    later = FunctionCatalog()

    await FunctionStore(CatalogWriter(database, later)).load()

    assert later.lookup(*KEY) == function()


async def test_listeners_hear_every_change_in_order(store, catalog):
    """Each change begins where the one before it ended, also when many are made at once."""
    heard = []
    catalog.listeners.append(lambda before, after: heard.append((before, after)))

    await store.create(function(), ROOM)
    await asyncio.gather(
        *(
            store.update(KEY, lambda before: replace(before, timeout_s=before.timeout_s + 1))
            for _ in range(20)
        )
    )
    await store.delete(KEY)

    afters = [after for _, after in heard]
    assert [before for before, _ in heard] == [None, *afters[:-1]]
    assert [after.timeout_s for after in afters[:-1]] == list(range(3, 24))
    assert afters[-1] is None


async def test_a_listener_that_fails_harms_nobody(store, catalog, caplog):
    """The writer and other listeners do not notice; the log does."""
    heard = []

    def fail(_before, _after):
        raise RuntimeError("broken")

    catalog.listeners += [fail, lambda _before, after: heard.append(after)]

    await store.create(function(), ROOM)

    assert heard == [function()]
    assert "broken" in caplog.text


async def test_the_catalog_follows_a_write_whose_caller_went_away(store, catalog):
    """A write that was begun is committed and seen, cancelled or not."""
    changed = asyncio.Event()
    catalog.listeners.append(lambda _before, _after: changed.set())
    caller = asyncio.create_task(store.create(function(), ROOM))
    await asyncio.sleep(0)

    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    await asyncio.wait_for(changed.wait(), 60)
    assert catalog.lookup(*KEY) == await store.get(KEY) == function()


async def test_writes_are_announced_to_the_database(database, store):
    """The change feed tells which function has changed."""
    heard = []
    database.subscribe(heard.append)

    await store.create(function(), ROOM)
    await store.update(KEY, lambda before: replace(before, timeout_s=4))
    await store.delete(KEY)

    assert [(change.kind, change.key) for change in heard] == [("function", KEY)] * 3
