"""A server with many functions: how long it starts, and whether its API stays quick."""

import asyncio
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import boto3

from bench.measures import Figures
from bench.subjects import package
from emberbox.identity.sealing import Sealer
from emberbox.model.function import FunctionVersion, Logging, State, UpdateStatus
from emberbox.model.versions import Publication
from emberbox.storage.catalog import CatalogWriter, FunctionCatalog, FunctionKey
from emberbox.storage.database import Database
from emberbox.storage.functions import FunctionStore
from emberbox.storage.packages import PackageStore
from tools.running import start

FUNCTIONS = 2_000
VERSIONS = 5
_CALLS = 60
_ROOM = 1 << 50
_QUERIES = ("functions", "layers", "attachments")


def measure_many() -> Figures:
    """2,000 functions with 5 versions each: start of the server, list, get, create, update; p50."""
    with tempfile.TemporaryDirectory(prefix="emberbox-bench-") as place:
        data = Path(place) / "data"
        data.mkdir()
        asyncio.run(_fill(data))
        first = start(data, Path(place) / "log")
        first.stop()
        server = start(data, Path(place) / "log")
        try:
            figures = _calls(server.url)
        finally:
            server.stop()
        return {"many_start_ms": server.ready_s * 1000, **figures}


async def _fill(data: Path) -> None:
    secret = data / "secret"
    secret.touch(mode=0o600)
    secret.write_bytes(secrets.token_bytes(32))
    vault = Sealer(secret.read_bytes())
    database = await Database.open(data / "state.db", "state", _QUERIES, vault=vault)
    store = FunctionStore(CatalogWriter(database, FunctionCatalog()))
    packages = PackageStore(data / "packages")
    code = await packages.put(package("def handler(event, context):\n    return 1\n"))
    bare = FunctionVersion(
        "123456789012",
        "us-east-1",
        "",
        "arn:aws:iam::123456789012:role/bench",
        "python3.12",
        "subject.handler",
        code.package_id,
        code.code_sha256,
        code.code_size,
        "revision",
        time.time(),
        Logging(""),
        state=State.ACTIVE,
        state_reason=None,
        state_reason_code=None,
        update_status=UpdateStatus.SUCCESSFUL,
        environment={"STAGE": "bench", "TABLE": "a-table-of-some-length"},
    )
    for number in range(FUNCTIONS):
        name = f"many-{number:05}"
        key = FunctionKey(bare.account, bare.region, name)
        await store.create(replace(bare, name=name, logging=Logging(f"/aws/lambda/{name}")), _ROOM)
        for version in range(VERSIONS):
            text = f"version {version}"
            await store.update(
                key,
                lambda before, text=text: replace(before, description=text),  # type: ignore[misc]
                wanted=Publication(text),
            )
    await database.close()


def _calls(url: str) -> Figures:
    client: Any = boto3.client(
        "lambda",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="emberbox",
        aws_secret_access_key="emberbox",
    )
    code = package("def handler(event, context):\n    return 2\n")
    made = {
        "Runtime": "python3.12",
        "Role": "arn:aws:iam::123456789012:role/bench",
        "Handler": "subject.handler",
        "Code": {"ZipFile": code},
    }
    some = [f"many-{n * 17 % FUNCTIONS:05}" for n in range(_CALLS)]
    figures = {
        "many_list_ms": _p50(lambda _: client.list_functions(), some),
        "many_get_ms": _p50(lambda name: client.get_function(FunctionName=name), some),
        "many_create_ms": _p50(
            lambda name: client.create_function(FunctionName=f"new-{name}", **made), some
        ),
        "many_update_ms": _p50(
            lambda name: client.update_function_configuration(FunctionName=name, Timeout=9), some
        ),
    }
    client.close()
    return figures


def _p50(call: Callable[[str], Any], names: list[str]) -> float:
    took = []
    for name in names:
        began = time.perf_counter()
        call(name)
        took.append(time.perf_counter() - began)
    return median(took) * 1000
