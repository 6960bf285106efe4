"""`python -m bench.beside`: queues of this server beside others that speak SQS, in one run.

All are started on free ports of the loopback interface and measured in turn, twice, the second time
in the opposite order. One that is not installed is left out, and the run says how to get it. The
others run as they come: MiniStack and ElasticMQ keep messages in memory, Emberbox syncs each to
disk before it answers.
"""

import argparse
import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from bench.queues import client, rates
from tools.running import running, server_environment

_START_S = 60.0
_STOP_S = 10.0
_ELASTICMQ = """
include classpath("application.conf")
rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1" }}
rest-stats {{ enabled = false }}
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
"""


def main() -> None:
    """Measure what is there, print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.beside", description=__doc__)
    parser.add_argument("--ministack", help="its command, if it is not on the path")
    parser.add_argument("--elasticmq", type=Path, help="a directory with the jars of its server")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="emberbox-beside-") as place, ExitStack() as stack:
        server = stack.enter_context(running(Path(place) / "data", Path(place) / "log"))
        urls = {"Emberbox": server.url}
        urls |= _ministack(arguments.ministack, Path(place), stack)
        urls |= _elasticmq(arguments.elasticmq, Path(place), stack)
        print(_table(_measured(urls)))


def _ministack(command: str | None, place: Path, stack: ExitStack) -> dict[str, str]:
    command = command or shutil.which("ministack")
    if command is None:
        _say("MiniStack is left out: pip install ministack, or --ministack COMMAND")
        return {}
    port = _free_port()
    settings = {"GATEWAY_PORT": str(port), "HOME": str(place)}
    return {"MiniStack": stack.enter_context(_served([command], port, place / "m.log", settings))}


def _elasticmq(jars: Path | None, place: Path, stack: ExitStack) -> dict[str, str]:
    if jars is None or shutil.which("java") is None:
        _say(
            "ElasticMQ is left out: it needs Java and --elasticmq with the directory that "
            "`mvn dependency:copy-dependencies` fills for org.elasticmq:elasticmq-server_2.13"
        )
        return {}
    port = _free_port()
    settings = place / "elasticmq.conf"
    settings.write_text(_ELASTICMQ.format(port=port), "utf-8")
    command = ["java", "-Xmx512m", f"-Dconfig.file={settings}", "-cp", f"{jars}/*"]
    serving = _served([*command, "org.elasticmq.server.Main"], port, place / "e.log", {})
    return {"ElasticMQ": stack.enter_context(serving)}


@contextmanager
def _served(
    command: Sequence[str], port: int, log: Path, settings: Mapping[str, str]
) -> Iterator[str]:
    """The address of a server that runs for the duration of a block."""
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stdout=said, stderr=said, env={**server_environment(), **settings}
        )
    try:
        _await_answer(process, url)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_answer(process: "subprocess.Popen[bytes]", url: str) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            client("sqs", url).list_queues()
        except (BotoCoreError, ClientError):
            time.sleep(0.2)
        else:
            return
    raise SystemExit(f"{process.args!r} does not answer")


def _measured(urls: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Medians by server and by what was measured."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in urls}
    for names in (list(urls), list(urls)[::-1]):
        for name in names:
            _say(f"measuring: {name}")
            for what, value in asyncio.run(rates(urls[name])).items():
                found[name].setdefault(what, []).append(value)
    return {
        name: {what: statistics.median(values) for what, values in of.items()}
        for name, of in found.items()
    }


def _table(figures: Mapping[str, Mapping[str, float]]) -> str:
    names = list(figures)
    lines = [f"| measured | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    lines += [
        f"| {what} | {' | '.join(f'{figures[n][what]:,.0f}' for n in names)} |"
        for what in figures[names[0]]
    ]
    load = os.getloadavg()[0]
    return "\n".join([*lines, "", f"load of the machine at the end: {load:.1f}"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
