"""What tests of identities share: a store with people in it."""

from contextlib import AsyncExitStack

import pytest

from emberbox.clock import ManualClock
from emberbox.parts.ground import Ground
from emberbox.parts.identity import open_identities
from emberbox.settings import AuthMode, Settings
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
async def people(database, clock, tmp_path):
    """Identities of a server that enforces policies."""
    async with AsyncExitStack() as stack:
        settings = Settings(tmp_path, auth=AuthMode.ENFORCED)
        ground = Ground(settings, tmp_path, b"s" * 32, clock, stack)
        yield await open_identities(ground, database)
