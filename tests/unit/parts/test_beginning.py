"""How a start begins."""

import json
import subprocess
import sys
from contextlib import AsyncExitStack

import pytest

from emberbox.isolation.levels import Level
from emberbox.parts.beginning import begin
from emberbox.settings import Settings
from emberbox.storage.sql import migrations


def settings(tmp_path, port=0):
    return Settings(data_dir=tmp_path / "data", port=port, isolation=Level.PROCESS.value)


@pytest.fixture(scope="module")
def imported():
    """The modules that the composition of a server imports."""
    script = "import json, sys, emberbox.app; print(json.dumps(sorted(sys.modules)))"
    return json.loads(subprocess.check_output([sys.executable, "-c", script]))


async def test_a_fresh_data_directory_gets_its_databases(tmp_path):
    """Each with a schema, before anything is opened."""
    async with AsyncExitStack() as stack:
        beginning = begin(settings(tmp_path), stack)
        await beginning.ground
        await beginning.databases

        made = {path.stem for path in beginning.data.glob("*.db")}

    assert {"state", "logs", "queues"} <= made
    assert all(migrations(name) for name in made)


async def test_databases_that_are_there_are_left_alone(tmp_path):
    """They are opened, and brought up to date, by those who use them."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "logs.db").write_bytes(b"as it was")

    async with AsyncExitStack() as stack:
        beginning = begin(settings(tmp_path), stack)
        await beginning.ground
        await beginning.databases

    assert (tmp_path / "data" / "logs.db").read_bytes() == b"as it was"


async def test_an_address_that_is_taken_is_refused_before_anything_is_made(tmp_path):
    """Nothing is found out or written for a server that cannot be."""
    async with AsyncExitStack() as stack:
        first = begin(settings(tmp_path / "first"), stack)
        await first.ground
        await first.databases
        first.listener.listen()
        taken = first.listener.getsockname()[1]

        with pytest.raises(OSError, match="in use"):
            begin(settings(tmp_path / "second", taken), stack)

    assert not list((tmp_path / "second" / "data").glob("*.db"))


@pytest.mark.parametrize(
    "name",
    [
        "botocore",
        "cryptography",
        "http.client",
        "jwt",
        "emberbox.services.iam.service",
        "emberbox.services.sts.service",
        "emberbox.services.xray.service",
    ],
)
def test_what_is_not_needed_yet_is_not_imported(imported, name):
    """The composition of a server reads no library and no service that waits for its first use."""
    assert "emberbox.gateway.app" in imported
    assert name not in imported
