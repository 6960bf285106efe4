"""How long a piece of a streamed response is on its way: from the function's write to the client.

The function writes the time of the clock that all processes of a machine share; the client looks
at the same clock when it has the bytes.
"""

import asyncio
import re
import time
from urllib.parse import urlsplit

from bench.client import streaming_request
from bench.measures import Bench, Figures
from bench.statistics import median_ms, percentile

_CALLS = 200
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
    return {
        "stream_first_ms": median_ms(first),
        "stream_first_p99_ms": percentile(first, 0.99) * 1000,
        "stream_later_ms": median_ms(later),
    }


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
