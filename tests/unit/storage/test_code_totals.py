"""How much code an account has is known without adding it up."""

from contextlib import suppress
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from emberbox.model.function import FunctionVersion, Logging
from emberbox.model.versions import Publication
from emberbox.storage.catalog import CatalogWriter, FunctionCatalog, FunctionKey
from emberbox.storage.database import Database
from emberbox.storage.functions import FunctionExistsError, FunctionMissingError, FunctionStore

ROOM = 1 << 40
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "update", "publish", "delete", "delete_version"]),
        st.sampled_from("ab"),
        st.integers(0, 1_000),
    ),
    max_size=25,
)


def function(name, size):
    """A function with so much code."""
    return FunctionVersion(
        "123456789012", "us-east-1", name, "role", "python3.12", "a.b", "p", "s", size, "r", 0.0,
        Logging("g"),
    )  # fmt: skip


async def step(store, act, name, size):
    """Do one thing; what cannot be done changes nothing."""
    key = FunctionKey("123456789012", "us-east-1", name)

    def sized(before):
        return replace(before, code_size=size)

    match act:
        case "create":
            await store.create(function(name, size), ROOM)
        case "update":
            await store.update(key, sized, ROOM)
        case "publish":
            await store.update(key, sized, ROOM, wanted=Publication(f"r{size}"))
        case "delete":
            await store.delete(key)
        case "delete_version":
            await store.delete_version(key, "1")


@settings(max_examples=25)
@given(STEPS)
async def test_the_total_is_the_sum(tmp_path_factory, steps):
    """Whatever was created, changed, published and deleted before."""
    path = tmp_path_factory.mktemp("totals") / "state.db"
    database = await Database.open(
        path, "state", ("functions", "layers", "attachments"), durable=False
    )
    try:
        store = FunctionStore(CatalogWriter(database, FunctionCatalog()))
        for act, name, size in steps:
            with suppress(FunctionExistsError, FunctionMissingError):
                await step(store, act, name, size)
        rows = await store.page_of_all(
            "123456789012", "us-east-1", after="", after_number=0, limit=1_000
        )
        usage = await store.usage("123456789012", "us-east-1")
    finally:
        await database.close()

    assert usage.code_size == sum(row.code_size for row in rows)
