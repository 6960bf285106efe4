"""What SnapStart gains a function that imports numpy and pandas.

They are installed once into a directory that git ignores.
"""

import asyncio
import io
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from bench import processes
from bench.client import connect, invoke_request, together
from bench.statistics import median_ms, percentile
from bench.subjects import ROLE
from tools.running import RunningServer

_CACHE = Path(__file__).parent / ".cache"
_PACKAGES = ("numpy", "pandas")
_PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
_LEFT_OUT = ("tests", "__pycache__", "bin")
_SOURCE = """
import time
import numpy, pandas

def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return float(numpy.arange(10.0).sum())
"""
_NAME = "bench-snapshots"
_SAMPLES = 15
_TOGETHER = 100
_ACTIVE_S = 60.0
_REST_S = 0.5
_LOOK_S = 0.02


async def measure_snapshots(server: RunningServer, client: Any) -> dict[str, float]:
    """First invokes of versions from their snapshots, and the memory of many environments."""
    code = await asyncio.to_thread(_package)
    client.create_function(
        FunctionName=_NAME,
        Runtime=f"python{_PYTHON}",
        Role=ROLE,
        Handler="subject.handler",
        Code={"ZipFile": code},
        MemorySize=1_769,
        Timeout=60,
        SnapStart={"ApplyOn": "PublishedVersions"},
    )
    connection = await connect(server.url)
    restored, publishing = [], []
    version = ""
    for sample in range(_SAMPLES):
        version, seconds = await asyncio.to_thread(_publish, client, sample)
        publishing.append(seconds)
        # A cold start that comes right after another would find no blank sandbox.
        await asyncio.sleep(_REST_S)
        answer = await connection.call(invoke_request(server.url, f"{_NAME}:{version}", b"{}"))
        if not answer.is_good:
            raise RuntimeError(f"{_NAME}:{version} failed: {answer.body[:300]!r}")
        restored.append(answer.seconds)
    connection.close()
    memory_mb = await _memory(server, f"{_NAME}:{version}")
    client.delete_function(FunctionName=_NAME)
    return {
        "snapshot_ms": median_ms(restored),
        "snapshot_p95_ms": percentile(restored, 0.95) * 1000,
        "snapshot_publish_ms": median_ms(publishing),
        "snapshot_mb": memory_mb,
    }


async def _memory(server: RunningServer, function: str) -> float:
    before = processes.pss_mb(server.pid)
    request = invoke_request(server.url, function, b'{"sleep": 2}')
    answers, _ = await together(server.url, [request] * _TOGETHER)
    if not all(answer.is_good for answer in answers):
        raise RuntimeError(f"{function} failed under load")
    await asyncio.sleep(_REST_S)
    return (processes.pss_mb(server.pid) - before) / _TOGETHER


def _publish(client: Any, sample: int) -> tuple[str, float]:
    """A new version's number, and the seconds until it was Active."""
    client.update_function_configuration(FunctionName=_NAME, Description=f"sample {sample}")
    client.get_waiter("function_updated_v2").wait(FunctionName=_NAME)
    began = time.perf_counter()
    version: str = client.publish_version(FunctionName=_NAME)["Version"]
    found: dict[str, Any] = {}
    while time.perf_counter() < began + _ACTIVE_S:
        found = client.get_function_configuration(FunctionName=_NAME, Qualifier=version)
        if found["State"] == "Active" and found["SnapStart"]["OptimizationStatus"] == "On":
            return version, time.perf_counter() - began
        if found["State"] != "Pending":
            break
        time.sleep(_LOOK_S)
    raise RuntimeError(f"version {version} has no snapshot: {found}")


def _package() -> bytes:
    """A zip of the subject with its libraries, without their tests."""
    place = _CACHE / f"python{_PYTHON}"
    if not place.is_dir():
        fresh = place.with_suffix(".new")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(fresh)]
        subprocess.run([*pip, *_PACKAGES], check=True)
        fresh.replace(place)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(place.rglob("*")):
            inside = file.relative_to(place)
            if file.is_file() and not set(_LEFT_OUT) & set(inside.parts):
                archive.write(file, str(inside))
        archive.writestr(zipfile.ZipInfo("subject.py", (2024, 1, 1, 0, 0, 0)), _SOURCE)
    return out.getvalue()
