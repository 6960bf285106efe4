"""What functions reach in each network mode, over each way out, and what they never reach."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from emberbox.isolation.network import firewall

REACH = """
import json, os, socket

def attempt(host, port, patience=1.5):
    try:
        with socket.create_connection((host, port), patience) as connection:
            return "OK " + connection.recv(100).decode()
    except OSError as error:
        return "NO " + str(error)

def endpoint():
    place = os.environ.get("AWS_ENDPOINT_URL", "")
    if not place:
        return "NO variable"
    host, _, port = place[7:].partition(":")
    try:
        with socket.create_connection((host, int(port)), 15) as connection:
            connection.sendall(b"GET /_emberbox/health HTTP/1.0\\r\\n\\r\\n")
            return "OK " + connection.recv(12).decode()
    except OSError as error:
        return "NO " + str(error)

def handler(event, context):
    if "listen" in event:
        with socket.create_server(("0.0.0.0", event["listen"])) as listener:
            listener.settimeout(event["seconds"])
            try:
                return listener.accept()[1]
            except OSError:
                return None
    if "name" in event:
        return socket.gethostbyname(event["name"])
    if "address" in event:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("203.0.113.2", 1))
            return probe.getsockname()[0]
    return {
        "endpoint": endpoint(),
        "tried": {"%s:%d" % (*t[:2],): attempt(*t) for t in event["targets"]},
        "links": sorted(name for _, name in socket.if_nameindex()),
    }
"""

PATIENT = 15
"""Seconds for what is reached; what is not is given up sooner."""
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
WITHOUT = Path(__file__).parent / "without.py"
# Programs that the server is kept from, and the one that is left.
WAYS = {
    "veth and nftables": ("nothing", "nft"),
    "veth and iptables": ("nft", "iptables"),
    "slirp4netns": ("nft,iptables", "slirp4netns"),
    "pasta": ("nft,iptables,slirp4netns", "pasta"),
}


def need(*programs):
    """One of them is enough."""
    if not any(map(firewall.program, programs)):
        pytest.skip(f"not installed: {', '.join(programs)}")


@pytest.fixture
def way_out():
    """The host can translate addresses in some way."""
    need(*(program for _, program in WAYS.values()))


def own_address():
    """An address of this host that is not the loopback's, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 1))
        except OSError:
            return None
        return probe.getsockname()[0]


@pytest.fixture
def neighbour():
    """A service of this host, on all its addresses: its port."""
    with socket.create_server(("0.0.0.0", 0)) as listener:
        listener.settimeout(0.2)
        stop = threading.Event()

        def greet():
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                with connection:
                    connection.sendall(b"private")

        thread = threading.Thread(target=greet)
        thread.start()
        yield listener.getsockname()[1]
        stop.set()
        thread.join()


def reach(host, function, targets):
    answer = host.invoke(function, json.dumps({"targets": targets}).encode())
    assert answer.error is None, answer.payload
    return answer.json()


def refused(tried):
    """Those that were not refused."""
    return {target: said for target, said in tried.items() if not said.startswith("NO ")}


@pytest.mark.parametrize("way", WAYS)
def test_the_internet_but_not_this_host(serve, internet, neighbour, way):
    """Over each way out: the internet and our endpoint, but no service of this host, on none of
    its addresses, no metadata service, and nothing of the server's."""
    lacking, left = WAYS[way]
    need(left)
    program = (sys.executable, str(WITHOUT), lacking)
    host = serve("--network", "nat", program=program)
    server_port = int(host.server.url.rpartition(":")[2])
    function = host.function(REACH)
    private = [
        [address, port]
        for address in ("127.0.0.1", "203.0.113.1", own_address(), "169.254.78.1")
        for port in (neighbour, server_port)
        if address is not None
    ]

    found = reach(host, function, [*private, ["169.254.169.254", 80], [*internet, PATIENT]])

    assert found["tried"].pop("203.0.113.2:8080") == "OK hello 203.0.113.1"
    assert refused(found["tried"]) == {}
    assert found["endpoint"].startswith("OK HTTP/1.")
    assert found["links"] == ["eth0", "lo"]


def test_the_best_is_the_default(serve, internet, way_out):
    """Without a wish functions reach the internet, where the host can do it."""
    host = serve()

    found = reach(host, host.function(REACH), [[*internet, PATIENT]])

    assert found["tried"] == {"203.0.113.2:8080": "OK hello 203.0.113.1"}


def test_an_ordinary_user_has_it_too(serve, internet, neighbour, ordinary_user):
    """Without root: the internet by a translator, and nothing of this host."""
    need("slirp4netns", "pasta")
    tun = Path("/dev/net/tun")
    was = tun.stat().st_mode & 0o777
    tun.chmod(0o666)
    try:
        host = serve(
            "--network", "nat", program=ordinary_user.program, data=ordinary_user.home / "d"
        )
        private = [[a, neighbour] for a in ("127.0.0.1", "203.0.113.1", own_address()) if a]
        found = reach(host, host.function(REACH), [*private, [*internet, PATIENT]])
    finally:
        tun.chmod(was)

    assert found["tried"].pop("203.0.113.2:8080") == "OK hello 203.0.113.1"
    assert refused(found["tried"]) == {}
    assert found["endpoint"].startswith("OK HTTP/1.")


def test_service_is_our_endpoint_alone(serve, internet, neighbour):
    """In the mode `service` nothing but the AWS endpoint answers."""
    host = serve("--network", "service")

    found = reach(
        host,
        host.function(REACH),
        [[*internet], ["127.0.0.1", neighbour], ["203.0.113.1", neighbour]],
    )

    assert refused(found["tried"]) == {}
    assert found["endpoint"].startswith("OK HTTP/1.")
    assert found["links"] == ["lo"]


def test_none_is_nothing(serve, internet):
    """In the mode `none` there is no endpoint either, and no variable that names one."""
    host = serve("--network", "none")

    found = reach(host, host.function(REACH), [[*internet], ["127.0.0.1", 4566]])

    assert refused(found["tried"]) == {}
    assert found["endpoint"] == "NO variable"


def test_host_is_everything(serve, internet, neighbour):
    """In the mode `host` a function reaches what the host does, its loopback too."""
    host = serve("--network", "host")

    targets = [[*internet, PATIENT], ["127.0.0.1", neighbour, PATIENT]]
    found = reach(host, host.function(REACH), targets)

    assert found["tried"] == {
        "203.0.113.2:8080": "OK hello 203.0.113.1",
        f"127.0.0.1:{neighbour}": "OK private",
    }
    assert found["endpoint"].startswith("OK HTTP/1.")


@pytest.mark.parametrize("other", ["python3.11", "python3.12"])
def test_sandboxes_do_not_reach_each_other(serve, internet, way_out, other):
    """What one function listens on, another cannot connect to, of the same zygote or not."""
    host = serve("--network", "nat")
    listening, trying = host.function(REACH), host.function(REACH, Runtime=other)
    address = host.invoke(listening, b'{"address": 1}').json()
    result = {}

    def listen():
        result["peer"] = host.invoke(listening, b'{"listen": 7777, "seconds": 4}').json()

    thread = threading.Thread(target=listen)
    thread.start()
    found = reach(host, trying, [[address, 7777], [address, 7777]])
    thread.join()

    assert address.startswith("169.254.")
    assert refused(found["tried"]) == {}
    assert result["peer"] is None


RESOLVER = """
import socket, struct
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.53", 53))
print("ready", flush=True)
while True:
    query, client = server.recvfrom(4096)
    answer = query[:2] + b"\\x81\\x80" + query[4:6] + b"\\0\\1\\0\\0\\0\\0" + query[12:]
    end = 12 + query[12:].index(b"\\0") + 5
    answer = answer[:end] + b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4" + bytes([203, 0, 113, 2])
    server.sendto(answer, client)
"""


def test_names_resolve_also_by_a_resolver_on_the_loopback(serve, internet, way_out, tmp_path):
    """The host asks 127.0.0.53, which no sandbox can reach: its answers come all the same."""
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.53\n")
    resolver = subprocess.Popen([sys.executable, "-c", RESOLVER], stdout=subprocess.PIPE)
    try:
        assert resolver.stdout.readline() == b"ready\n"
        words = 'mount --make-rprivate / && mount --bind $0 /etc/resolv.conf && exec "$@"'
        program = (
            "unshare",
            "--mount",
            "sh",
            "-c",
            words,
            str(conf),
            sys.executable,
            "-m",
            "emberbox",
        )
        host = serve("--network", "nat", program=program)

        found = host.invoke(host.function(REACH), b'{"name": "example.com"}')
    finally:
        resolver.kill()
        resolver.communicate()

    assert found.json() == "203.0.113.2"


def test_nothing_is_left_of_a_server_that_was_killed(serve, tmp_path):
    """Links end with a killed server, and the next start takes its rules away."""
    from tools.running import running, start

    need("nft")
    killed = start(tmp_path / "data", tmp_path / "log", "--network", "nat")
    links = f"emb-{killed.pid}-"
    tables = f"emberbox_{killed.pid}_"
    try:
        ready = wait_for(lambda: tables in rules() and links in link_names())
    finally:
        killed.kill()
    assert ready
    assert wait_for(lambda: links not in link_names())

    with running(tmp_path / "data", tmp_path / "log", "--network", "nat") as server:
        assert wait_for(lambda: f"emberbox_{server.pid}_" in rules() and tables not in rules())

    assert f"emberbox_{server.pid}_" not in rules()


def rules():
    return subprocess.run(
        ["nft", "list", "tables"], capture_output=True, text=True, check=True
    ).stdout


def link_names():
    return " ".join(name for _, name in socket.if_nameindex())


def wait_for(condition, seconds=40):
    """Whether it comes true in time: what is waited for tells nobody."""
    import time

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False
