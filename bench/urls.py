"""What a function URL costs beside Invoke, and when its first piece arrives when it streams."""

import asyncio
import re
import time
from urllib.parse import urlsplit

from bench.client import connect
from bench.measures import Bench, Figures
from bench.statistics import median_ms, percentile

_CALLS = 1_000
_STREAMS = 200
_STAMP = re.compile(rb"<(\d+\.\d+)>")


async def measure_urls(bench: Bench) -> Figures:
    """Warm calls of one client, and the first piece of warm streams."""
    url = await _url(bench, "hello", "BUFFERED")
    connection = await connect(bench.server.url)
    took = []
    for n in range(_CALLS + 50):
        answer = await connection.call(_request(url))
        if answer.body != b"hello":
            raise RuntimeError(f"a function URL failed: {answer}")
        if n >= 50:
            took.append(answer.seconds)
    connection.close()
    first = await _first_pieces(await _url(bench, "stamps", "RESPONSE_STREAM"))
    return {
        "url_ms": median_ms(took),
        "url_p99_ms": percentile(took, 0.99) * 1000,
        "url_stream_first_ms": median_ms(first),
        "url_stream_first_p99_ms": percentile(first, 0.99) * 1000,
    }


async def _url(bench: Bench, kind: str, mode: str) -> str:
    name = await bench.create(kind)
    config = await asyncio.to_thread(
        bench.subjects.client.create_function_url_config,
        FunctionName=name,
        AuthType="NONE",
        InvokeMode=mode,
    )
    return str(config["FunctionUrl"])


def _request(url: str) -> bytes:
    parts = urlsplit(url)
    return f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()


async def _first_pieces(url: str) -> list[float]:
    """Seconds from the function's first write to the client's read, on the machine's one clock."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    took: list[float] = []
    for _ in range(_STREAMS):
        writer.write(_request(url))
        received, seen = b"", 0.0
        while not received.endswith(b"\r\n0\r\n\r\n"):
            more = await reader.read(65_536)
            now = time.monotonic()
            if not more:
                raise RuntimeError(f"a stream broke off: {received[-200:]!r}")
            received += more
            if not seen and (found := _STAMP.search(received)):
                seen = now - float(found[1])
        took.append(seen)
    writer.close()
    return took
