"""What functions keep secret is not readable in the database's files."""

import json

import pytest

from emberbox.errors import PlatformError
from emberbox.identity.sealing import Sealer
from emberbox.model.function import FunctionVersion, Logging
from emberbox.storage.catalog import CatalogWriter, FunctionCatalog, FunctionKey
from emberbox.storage.database import Database
from emberbox.storage.functions import FunctionStore

KEY = FunctionKey("123456789012", "us-east-1", "sealed")
ENVIRONMENT = {"PASSWORD": "marker-of-a-password"}
SECRET = b"s" * 32


async def opened(path, secret=SECRET):
    """The database, and the functions in it."""
    vault = None if secret is None else Sealer(secret)
    database = await Database.open(path / "state.db", "state", ("functions",), vault=vault)
    store = FunctionStore(CatalogWriter(database, FunctionCatalog()))
    return database, store


def function():
    """A function with a secret."""
    return FunctionVersion(
        account=KEY.account,
        region=KEY.region,
        name=KEY.name,
        role="arn:aws:iam::123456789012:role/r",
        runtime="python3.12",
        handler="app.handler",
        package_id="ab" * 32,
        code_sha256="q6urq6s=",
        code_size=100,
        revision_id="1",
        last_modified=1.0,
        environment=ENVIRONMENT,
        logging=Logging("/aws/lambda/sealed"),
    )


def on_disk(path):
    """All bytes of the database's files."""
    return b"".join(each.read_bytes() for each in path.glob("state.db*"))


async def test_the_environment_is_in_no_file_and_comes_back(tmp_path):
    """Neither while the database is open nor afterwards."""
    database, store = await opened(tmp_path)
    await store.create(function(), 1_000)
    while_open = on_disk(tmp_path)
    await database.close()
    database, store = await opened(tmp_path)
    await store.load()
    found = await store.get(KEY)
    await database.close()

    assert b"marker-of-a-password" not in while_open
    assert b"marker-of-a-password" not in on_disk(tmp_path)
    assert found.environment == ENVIRONMENT


async def test_what_was_kept_unsealed_is_sealed_at_the_next_start(tmp_path):
    """Nothing of it is left in the file."""
    database, store = await opened(tmp_path)
    await store.create(function(), 1_000)
    plain = json.dumps(ENVIRONMENT)
    await database.write(
        lambda tx: tx._connection.execute("UPDATE functions SET environment = ?", [plain])
    )
    await database.close()
    before = on_disk(tmp_path)
    database, store = await opened(tmp_path)
    await store.load()
    found = await store.get(KEY)
    await database.close()

    assert b"marker-of-a-password" in before
    assert b"marker-of-a-password" not in on_disk(tmp_path)
    assert found.environment == ENVIRONMENT


async def test_another_secret_opens_nothing(tmp_path):
    """And says so, instead of running the function without."""
    database, store = await opened(tmp_path)
    await store.create(function(), 1_000)
    await database.close()
    database, store = await opened(tmp_path, b"t" * 32)

    with pytest.raises(PlatformError, match="cannot be opened"):
        await store.get(KEY)
    await database.close()
