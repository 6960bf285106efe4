"""A server of one's own: started on a free port, asked for its address, stopped or killed.

For the demo, the benchmark and the system tests. The server is the real command in a process of its
own, with this interpreter.
"""

import os
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_ADDRESS = re.compile(r"^\s*API\s+(http://\S+)\s", re.MULTILINE)
_START_S = 90.0
_STOP_S = 90.0


class StartError(RuntimeError):
    """The server did not become ready; the text has what it printed."""


class RunningServer:
    """A server process. `url` is its address; `log` is the file with its standard error,
    `said` the text it began with."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        url: str,
        log: Path,
        ready_s: float,
        said: str = "",
    ) -> None:
        self.said = said
        self.process = process
        self.url = url
        self.log = log
        self.ready_s = ready_s

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self.process.pid

    def stop(self) -> int:
        """Ask it to end (SIGTERM) and wait; its exit status. Kills it if it does not end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would, and wait until it is gone."""
        self.process.kill()
        self._wait()

    def _wait(self) -> int:
        try:
            return self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()


def start(
    data_dir: Path,
    log: Path,
    *arguments: str,
    program: Sequence[str] = (sys.executable, "-m", "emberbox"),
) -> RunningServer:
    """Start a server on a free port of the loopback interface and wait until it is ready.

    `program` is what stands before `serve`: other users and confinements come in by it.
    """
    began = time.monotonic()
    command = [*program, "serve", "--port", "0"]
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [*command, "--data-dir", str(data_dir), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=server_environment(),
        )
    try:
        url, ready_s, said = _await_address(process, began)
    except BaseException as error:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        if isinstance(error, StartError):
            said = log.read_text("utf-8", "replace")[-4000:]
            raise StartError(f"{error}\n{said}") from None
        raise
    return RunningServer(process, url, log, ready_s, said)


@contextmanager
def running(
    data_dir: Path,
    log: Path,
    *arguments: str,
    program: Sequence[str] = (sys.executable, "-m", "emberbox"),
) -> Iterator[RunningServer]:
    """A server for the duration of a block; StartError too if it does not stop in good order."""
    server = start(data_dir, log, *arguments, program=program)
    try:
        yield server
    except BaseException:
        server.stop()
        raise
    status = server.stop()
    if status != 0:
        raise StartError(f"the server ended with status {status}, see {log}")


def server_environment() -> dict[str, str]:
    """This process's environment without anybody's AWS settings."""
    return {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "EMBERBOX_"))}


def client_environment(url: str, home: Path) -> Mapping[str, str]:
    """What an AWS client needs to reach the server, and nothing of the machine's AWS settings."""
    return {
        **server_environment(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "HOME": str(home),
        "AWS_CONFIG_FILE": str(home / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / "no-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_PAGER": "",
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "emberbox",
        "AWS_SECRET_ACCESS_KEY": "emberbox",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }


def _await_address(process: "subprocess.Popen[bytes]", began: float) -> tuple[str, float, str]:
    """The address in the banner, the seconds it took to appear, and the banner."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    said = ""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while (left := began + _START_S - time.monotonic()) > 0:
            if not selector.select(left):
                break
            # Not readline: what it keeps in its buffer would not wake the selector again.
            data = os.read(descriptor, 65_536)
            if not data:
                raise StartError(f"the server ended at once, status {process.wait()}\n{said}")
            said += data.decode("utf-8", "replace")
            found = _ADDRESS.search(said)
            if found:
                return found[1], time.monotonic() - began, said
    raise StartError(f"the server was not ready within {_START_S:.0f} s\n{said}")
