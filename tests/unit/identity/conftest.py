"""What tests of identities share: a store with people in it."""

from contextlib import AsyncExitStack

import pytest

from emberbox.clock import ManualClock
from emberbox.parts.identity import open_identities
from emberbox.settings import AuthMode
from emberbox.storage.database import Database


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def database(tmp_path):
    database = await Database.open(tmp_path / "state.db", "state", ("identities",))
    yield database
    await database.close()


@pytest.fixture
async def people(database, clock):
    """Identities of a server that enforces policies."""
    async with AsyncExitStack() as stack:
        yield await open_identities(database, b"s" * 32, AuthMode.ENFORCED, clock, stack)
