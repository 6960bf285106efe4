"""Servers on hosts of many kinds, and a host of the internet."""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hosts import an_ordinary_user, serving


@pytest.fixture
def serve(tmp_path):
    """Start servers that stop after the test: `serve(*arguments, program=..., data=...)`."""
    with ExitStack() as stack:

        def start(*arguments, **how):
            place = Path(tempfile.mkdtemp(dir=tmp_path))
            return stack.enter_context(serving(place, *arguments, **how))

        yield start


def _ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


_WEB = """
import socket, sys
listener = socket.create_server(("203.0.113.2", 8080))
print("ready", flush=True)
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
        web = subprocess.Popen(
            ["ip", "netns", "exec", name, sys.executable, "-c", _WEB], stdout=subprocess.PIPE
        )
        try:
            assert web.stdout.readline() == b"ready\n"
            yield ("203.0.113.2", 8080)
        finally:
            web.kill()
            web.communicate()
    finally:
        _ip("netns", "del", name)
        subprocess.run(["ip", "link", "del", link], check=False, capture_output=True)


@pytest.fixture(scope="session")
def ordinary_user():
    """An ordinary user with nothing delegated."""
    with an_ordinary_user() as user:
        yield user
