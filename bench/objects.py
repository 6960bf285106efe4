"""`python -m bench.objects`: rates of buckets, and how soon a function hears of an object.

With `--url` another S3-compatible server is measured, as far as it needs no function.
"""

import argparse
import asyncio
import hashlib
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from bench import processes
from bench.client import closed_loop, connect, plain_request
from bench.subjects import package
from tools.running import RunningServer, client_environment, running

_BUCKET = "bench"
_CLIENTS = 16
_SECONDS = 4.0
_SMALL = os.urandom(4_096)
_LARGE_BYTES = 64 << 20
_NOTICES = 40
_PIECE = bytes(1 << 20)
_HANDLER = (
    "import time\n"
    "def handler(event, context):\n"
    "    key = event['Records'][0]['s3']['object']['key']\n"
    "    print('LATENCY', time.time() - float(key))\n"
)


def main() -> None:
    """Measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="another server to measure, without functions")
    parser.add_argument("--keys", type=int, default=100_000, help="keys of the list")
    parser.add_argument("--gigabytes", type=float, default=5.0, help="size of the huge object")
    parser.add_argument("--files", type=int, default=2_000, help="files of the synced tree")
    arguments = parser.parse_args()
    if arguments.url:
        print(_table(_measured(arguments.url, arguments, None)))
        return
    with (
        tempfile.TemporaryDirectory(prefix="emberbox-bench-") as place,
        running(Path(place) / "data", Path(place) / "log") as server,
    ):
        figures = _measured(server.url, arguments, server)
        figures |= _noticed(server.url)
    print(_table(figures))


def _table(figures: dict[str, float]) -> str:
    lines = ["| measured | value |", "|---|---:|"]
    lines += [f"| {name} | {value:,.2f} |" for name, value in figures.items()]
    return "\n".join(lines)


def _measured(
    url: str, arguments: argparse.Namespace, server: RunningServer | None
) -> dict[str, float]:
    _client("s3", url).create_bucket(Bucket=_BUCKET)
    figures = asyncio.run(_small(url))
    size = int(arguments.gigabytes * (1 << 30))
    measures: list[Callable[[], dict[str, float]]] = [lambda: _large(url)]
    if arguments.keys:
        measures.append(lambda: asyncio.run(_listed(url, arguments.keys)))
    if arguments.files:
        measures.append(lambda: _synced(url, arguments.files))
    if size:
        measures.append(lambda: _huge(url, size, server))
    for measure in measures:
        try:
            figures |= measure()
        except (OSError, SystemExit, subprocess.CalledProcessError) as error:
            if server is not None:
                raise
            print(f"not measured: {error}", file=sys.stderr)  # another server may fail
    return figures


def _client(service: str, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="emberbox",
        aws_secret_access_key="emberbox",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def _request(url: str, method: str, key: str, body: bytes = b"") -> bytes:
    """The bytes of a signed request to S3."""
    host = url.removeprefix("http://").rstrip("/")
    headers = {"Host": host, "X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()}
    path = f"/{_BUCKET}/{key}"
    request = AWSRequest(method, f"http://{host}{path}", data=body, headers=headers)
    S3SigV4Auth(Credentials("emberbox", "emberbox"), "s3", "us-east-1").add_auth(request)
    return plain_request(path, dict(request.headers.items()), body, method)


async def _small(url: str) -> dict[str, float]:
    figures = {}
    put, get = _request(url, "PUT", "small", _SMALL), _request(url, "GET", "small")
    for name, request in (("put 4 KB", put), ("get 4 KB", get)):
        for clients in (1, _CLIENTS):
            load = await closed_loop(url, request, clients=clients, seconds=_SECONDS)
            figures[f"{name}, {clients} clients, per second"] = load.per_second
            if load.bad:
                figures[f"{name}, {clients} clients, refused or lost"] = float(len(load.bad))
    return figures


def _large(url: str) -> dict[str, float]:
    """MB per second of one body of 64 MB, the client's own hashing left out."""
    body = os.urandom(_LARGE_BYTES)
    put = min(_timed(lambda: _raw(url, "PUT", "large", body)) for _ in range(3))
    get = min(_timed(lambda: _raw(url, "GET", "large")) for _ in range(3))
    size = _LARGE_BYTES / 1e6
    return {"put 64 MB, MB per second": size / put, "get 64 MB, MB per second": size / get}


def _timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _raw(url: str, method: str, key: str, body: Any = None, size: int | None = None) -> int:
    """One request with an unsigned body; how many bytes came back."""
    host = url.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(host, timeout=600)
    request = AWSRequest(method, f"http://{host}/{_BUCKET}/{key}", headers={"Host": host})
    S3SigV4Auth(Credentials("emberbox", "emberbox"), "s3", "us-east-1").add_auth(request)
    headers = {**dict(request.headers.items()), "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    headers |= {"Content-Length": str(size)} if size else {}
    connection.request(method, f"/{_BUCKET}/{key}", body, headers)
    answer = connection.getresponse()
    count = 0
    while piece := answer.read(1 << 20):
        count += len(piece)
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"the server refused: {answer.status}")
    return count


async def _listed(url: str, keys: int) -> dict[str, float]:
    """The time to list many keys, a thousand at a time."""
    requests = iter([_request(url, "PUT", f"k/{n % 100:02}/{n}", b"") for n in range(keys)])
    began = time.perf_counter()

    async def client() -> None:
        connection = await connect(url)
        for request in requests:
            await connection.call(request)

    await asyncio.gather(*[client() for _ in range(_CLIENTS)])
    put_s = time.perf_counter() - began
    s3 = _client("s3", url)
    began, count = time.perf_counter(), 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=_BUCKET, Prefix="k/"):
        count += len(page["Contents"])
    listed_s = time.perf_counter() - began
    if count != keys:
        raise SystemExit(f"{count} keys were listed, not {keys}")
    began = time.perf_counter()
    s3.list_objects_v2(Bucket=_BUCKET, Prefix="k/", Delimiter="/")
    return {
        f"put {keys:,} empty objects, per second": keys / put_s,
        f"list {keys:,} keys through boto3, s": listed_s,
        "list their 100 common prefixes, ms": (time.perf_counter() - began) * 1_000,
    }


def _synced(url: str, files: int) -> dict[str, float]:
    """`aws s3 sync` of a tree, up and down."""
    with tempfile.TemporaryDirectory() as place:
        source, copy = Path(place) / "source", Path(place) / "copy"
        for number in range(files):
            path = source / f"d{number % 40}" / f"{number}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(2_000))
        environment = dict(client_environment(url, Path(place)))
        tree = f"s3://{_BUCKET}/tree"

        def sync(here: str, there: str) -> None:
            command = ["aws", "s3", "sync", here, there, "--quiet"]
            subprocess.run(command, env=environment, check=True)

        up = _timed(lambda: sync(str(source), tree))
        down = _timed(lambda: sync(tree, str(copy)))
        if len([each for each in copy.rglob("*.bin") if each.is_file()]) != files:
            raise SystemExit("files are missing after the sync")
    return {f"sync {files:,} files up, s": up, f"sync {files:,} files down, s": down}


def _huge(url: str, size: int, server: RunningServer | None) -> dict[str, float]:
    """One body of many gigabytes both ways, and the most memory that the server had meanwhile."""
    most = [0.0]
    done = threading.Event()

    def watch(pid: int) -> None:
        while not done.wait(0.05):
            most[0] = max(most[0], processes.resident_mb(pid))

    def body() -> Iterator[bytes]:
        for start in range(0, size, len(_PIECE)):
            yield _PIECE[: min(len(_PIECE), size - start)]

    before = 0.0 if server is None else processes.resident_mb(server.pid)
    watcher = threading.Thread(target=watch, args=(server.pid,)) if server is not None else None
    if watcher is not None:
        watcher.start()
    try:
        up = _timed(lambda: _raw(url, "PUT", "huge", body(), size))
        began = time.perf_counter()
        if _raw(url, "GET", "huge") != size:
            raise SystemExit("the huge object came back shorter")
        down = time.perf_counter() - began
    finally:
        done.set()
        if watcher is not None:
            watcher.join()
    name = f"{size / (1 << 30):g} GB"
    figures = {f"put {name}, MB per second": size / 1e6 / up}
    figures[f"get {name}, MB per second"] = size / 1e6 / down
    if server is not None:
        figures["server's memory before, MB"] = before
        figures["server's memory at most, MB"] = most[0]
    return figures


def _noticed(url: str) -> dict[str, float]:
    """From the call of PutObject to the first line of the handler, one object at a time."""
    functions, s3 = _client("lambda", url), _client("s3", url)
    made = functions.create_function(
        FunctionName="told",
        Runtime="python3.12",
        Role="arn:aws:iam::123456789012:role/bench",
        Handler="subject.handler",
        Code={"ZipFile": package(_HANDLER)},
        MemorySize=1769,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="told")
    s3.create_bucket(Bucket="told")
    told = {"LambdaFunctionArn": made["FunctionArn"], "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="told", NotificationConfiguration={"LambdaFunctionConfigurations": [told]}
    )
    for _ in range(_NOTICES):
        s3.put_object(Bucket="told", Key=str(time.time()), Body=b"")
        time.sleep(0.1)
    logs, found = _client("logs", url), list[float]()
    deadline = time.monotonic() + 20
    while len(found) < _NOTICES and time.monotonic() < deadline:
        events = logs.filter_log_events(
            logGroupName="/aws/lambda/told", filterPattern="LATENCY", limit=1_000
        )["events"]
        found = [float(event["message"].split()[1]) * 1_000 for event in events]
    warm = sorted(found)[:-1]
    return {
        "PutObject to handler, p50, ms": statistics.median(warm),
        "PutObject to handler, p95, ms": warm[int(len(warm) * 0.95)],
    }


if __name__ == "__main__":
    main()
