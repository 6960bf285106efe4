"""Servers on hosts of many kinds, made on this one: other users, other networks, fewer powers."""

import itertools
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hands import Boto3Hands
from material import ROLE, make_zip

from tools.running import running

ROOT = Path(__file__).parents[3]
_numbers = itertools.count(1)


class Host:
    """A running server and hands for it; functions are made from source."""

    def __init__(self, server, hands):
        self.server = server
        self.hands = hands

    def function(self, source, **configuration):
        """The name of a new function."""
        name = f"h{os.getpid()}-{next(_numbers)}"
        self.hands.call(
            "lambda",
            "CreateFunction",
            FunctionName=name,
            Runtime=configuration.pop("Runtime", "python3.11"),
            Role=ROLE,
            Handler="lambda_function.handler",
            Code={"ZipFile": make_zip(lambda_function=source)},
            **{"MemorySize": 512, "Timeout": 20, **configuration},
        )
        return name

    def invoke(self, name, payload=b"{}", **options):
        """One invocation."""
        return self.hands.invoke(name, payload, **options)


@contextmanager
def serving(place, *arguments, program=(sys.executable, "-m", "emberbox"), data=None):
    """A server of this kind, its log quiet at the end."""
    with running(data or place / "data", place / "log", *arguments, program=program) as server:
        hands = Boto3Hands(server.url)
        try:
            yield Host(server, hands)
        finally:
            hands.close()
    said = (place / "log").read_text("utf-8", "replace")
    assert "Traceback" not in said, said
    assert " ERROR " not in said, said


@pytest.fixture
def serve(tmp_path):
    """Start servers that stop after the test: `serve(*arguments, program=..., data=...)`."""
    with ExitStack() as stack:

        def start(*arguments, **how):
            place = tmp_path / f"server{next(_numbers)}"
            place.mkdir()
            return stack.enter_context(serving(place, *arguments, **how))

        yield start


def _ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


_WEB = """
import socket, sys
listener = socket.create_server(("203.0.113.2", 8080))
while True:
    connection, peer = listener.accept()
    connection.sendall(("hello " + peer[0]).encode())
    connection.close()
"""


@pytest.fixture
def internet():
    """A host of the internet: 203.0.113.2:8080 greets, and says whom it sees."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and iproute2")
    name, link = f"embertest{os.getpid()}", f"et{os.getpid()}"
    _ip("netns", "add", name)
    try:
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("addr", "add", "203.0.113.1/24", "dev", link)
        _ip("link", "set", link, "up")
        _ip("-n", name, "addr", "add", "203.0.113.2/24", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
        web = subprocess.Popen(["ip", "netns", "exec", name, sys.executable, "-c", _WEB])
        try:
            yield ("203.0.113.2", 8080)
        finally:
            web.kill()
            web.wait()
    finally:
        _ip("netns", "del", name)
        subprocess.run(["ip", "link", "del", link], check=False, capture_output=True)


class OrdinaryUser:
    """A user made for the test: `program` runs the server as that user, `home` is its own."""

    def __init__(self, name):
        self.name = name
        self.home = Path("/home") / name

    @property
    def program(self):
        """What runs the server: this project's code, on an interpreter that the user may run."""
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        packages = next(p for p in sys.path if p.endswith("site-packages"))
        return (
            "setpriv", "--reuid", self.name, "--regid", self.name, "--clear-groups",
            "env", "-C", str(self.home), f"HOME={self.home}",
            f"PYTHONPATH={ROOT / 'src'}:{packages}", "PYTHONDONTWRITEBYTECODE=1",
            f"/usr/bin/{version}",
            "-m", "emberbox",
        )  # fmt: skip


@pytest.fixture(scope="session")
def ordinary_user():
    """An ordinary user with nothing delegated; gone at the end."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if os.geteuid() != 0 or shutil.which("useradd") is None:
        pytest.skip("needs root to make a user")
    if not Path(f"/usr/bin/{version}").exists():
        pytest.skip(f"an ordinary user cannot run {version} here")
    name = f"embuser{os.getpid()}"
    subprocess.run(["useradd", "--create-home", name], check=True)
    try:
        yield OrdinaryUser(name)
    finally:
        subprocess.run(["userdel", "--remove", name], check=False, capture_output=True)
