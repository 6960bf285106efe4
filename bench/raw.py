"""The raw limits of this machine: what a first and a warm invoke cannot be faster than.

Forks are measured in a bare Python of their own; the HTTP figures with the simplest server that
uvloop allows, once answering itself and once asking a worker process over a socket.
"""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from bench.client import Load, closed_loop, plain_request
from bench.statistics import median_ms

_FORKS = Path(__file__).parent / "raw_forks.py"
_SERVER = Path(__file__).parent / "raw_server.py"
ECHO_BODY = json.dumps(
    {
        "items": [
            {"id": n, "name": f"item {n:05}", "tags": ["x", "y"], "v": n / 3} for n in range(140)
        ]
    }
).encode()


def forks() -> dict[str, float]:
    """Fork of a bare Python until the child has said a byte, without and with namespaces."""
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(_FORKS)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    said: dict[str, float] = json.loads(ran.stdout)
    return said


async def http(seconds: float) -> dict[str, float]:
    """Rates and times of the simplest servers."""
    found: dict[str, float] = {}
    hello = plain_request("/", {"Host": "raw", "Content-Type": "application/json"}, b"{}")
    echo = plain_request("/", {"Host": "raw", "Content-Type": "application/json"}, ECHO_BODY)
    one = await _load("constant", hello, 1, seconds)
    found["constant_1_ms"] = median_ms(one.good)
    found["constant_32_per_s"] = (await _load("constant", hello, 32, seconds)).per_second
    one = await _load("hop", hello, 1, seconds)
    found["hop_1_ms"] = median_ms(one.good)
    found["hop_1_per_s"] = one.per_second
    for clients in (8, 32):
        found[f"hop_{clients}_per_s"] = (await _load("hop", hello, clients, seconds)).per_second
    found["hop_echo_per_s"] = (await _load("hop", echo, 32, seconds)).per_second
    return {**found, "ideal_sleep": 32 / 0.05, "ideal_burst": 200.0}


async def _load(kind: str, request: bytes, clients: int, seconds: float) -> Load:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(_SERVER), kind, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        port = int(await asyncio.wait_for(process.stdout.readline(), 20))
        url = f"http://127.0.0.1:{port}"
        await closed_loop(url, request, clients=clients, seconds=min(0.5, seconds))
        load = await closed_loop(url, request, clients=clients, seconds=seconds)
    finally:
        process.terminate()
        await process.wait()
    if load.bad:
        raise RuntimeError(f"the raw server failed: {load.bad[0]}")
    return load
