"""Streamed responses: how long a piece is on its way, from the function's write to the client; what
200 MB take; and how far ahead of a client that does not read a function can write.

The function writes the time of the clock that all processes of a machine share; the client looks
at the same clock when it has the bytes.
"""

import asyncio
import re
import time
from urllib.parse import urlsplit

from bench import processes
from bench.client import streaming_request
from bench.measures import Bench, Figures
from bench.statistics import median_ms, percentile

_CALLS = 200
_WHOLE_MB = 199
_HELD_MB = 64
_READ_FIRST = 1 << 20
_PAUSE_S = 1.0
_LOOK_S = 0.05
_MB = float(1 << 20)
_STAMP = re.compile(rb"<(\d+\.\d+)>")


async def measure_streaming(bench: Bench) -> Figures:
    """Warm streams, one after the other: the first piece, and the ones after it."""
    name = await bench.create("stamps")
    request = streaming_request(bench.server.url, name, b"{}")
    where = urlsplit(bench.server.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    first: list[float] = []
    later: list[float] = []
    for _ in range(_CALLS):
        writer.write(request)
        took = await _pieces(reader)
        first.append(took[0])
        later += took[1:]
    writer.close()
    blocks = await bench.create("blocks")
    whole = await _whole(bench, blocks)
    ahead_mb = await _ahead(bench, blocks)
    return {
        **whole,
        "stream_ahead_mb": ahead_mb,
        "stream_first_ms": median_ms(first),
        "stream_first_p99_ms": percentile(first, 0.99) * 1000,
        "stream_later_ms": median_ms(later),
    }


async def _whole(bench: Bench, name: str) -> Figures:
    """As much as a stream may have: its rate, and what the server grows by meanwhile."""
    request = streaming_request(bench.server.url, name, b'{"mb": %d}' % _WHOLE_MB)
    where = urlsplit(bench.server.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    before = most = processes.resident_mb(bench.server.pid)
    writer.write(request)
    began = looked = time.perf_counter()
    size, end = 0, b""
    while not end.endswith(b"\r\n0\r\n\r\n"):
        more = await reader.read(1 << 20)
        if not more:
            raise RuntimeError(f"a stream broke off after {size} bytes")
        size, end = size + len(more), (end + more)[-16:]
        if time.perf_counter() - looked > _LOOK_S:
            most = max(most, processes.resident_mb(bench.server.pid))
            looked = time.perf_counter()
    seconds = time.perf_counter() - began
    writer.close()
    if size < _WHOLE_MB << 20:
        raise RuntimeError(f"a stream of {_WHOLE_MB} MB had {size} bytes")
    return {"stream_mb_per_s": size / _MB / seconds, "stream_growth_mb": most - before}


async def _ahead(bench: Bench, name: str) -> float:
    """Megabytes that the function had written when a client read on after a pause."""
    request = streaming_request(bench.server.url, name, b'{"mb": %d}' % _HELD_MB)
    where = urlsplit(bench.server.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(request)
    received = await reader.readexactly(_READ_FIRST)
    await asyncio.sleep(_PAUSE_S)
    resumed = time.monotonic()
    while not received.endswith(b"\r\n0\r\n\r\n"):
        more = await reader.read(1 << 20)
        if not more:
            raise RuntimeError("a stream broke off while nobody read it")
        received += more
    writer.close()
    written = sum(1 for stamp in _STAMP.findall(received) if float(stamp) < resumed)
    if written == _HELD_MB * 16:
        raise RuntimeError("the function did not wait for its reader")
    return (written * 65_536 - _READ_FIRST) / _MB


async def _pieces(reader: asyncio.StreamReader) -> list[float]:
    """Seconds that each piece of one answer was on its way."""
    took: list[float] = []
    received = b""
    while not received.endswith(b"\r\n0\r\n\r\n"):
        more = await reader.read(65_536)
        now = time.monotonic()
        if not more:
            raise RuntimeError(f"a stream broke off: {received[-200:]!r}")
        received += more
        took += [now - float(stamp) for stamp in _STAMP.findall(received)[len(took) :]]
    return took
