"""Which network a host can give, and what its packet filter is told."""

import asyncio
import socket
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.errors import PlatformError
from emberbox.isolation.network import firewall
from emberbox.isolation.network.modes import Facts, Mode, Way, choose
from emberbox.isolation.network.resolver import Relay, resolvers

ALL = Facts(own_network=True, router="", ways=(Way.NFT, Way.SLIRP))


@pytest.mark.parametrize(
    ("facts", "mode", "way"),
    [
        (ALL, Mode.NAT, Way.NFT),
        (Facts(own_network=True, router="", ways=(Way.PASTA,)), Mode.NAT, Way.PASTA),
        (Facts(own_network=True, router="", ways=()), Mode.SERVICE, None),
        (Facts(own_network=True, router="no veth", ways=(Way.NFT,)), Mode.SERVICE, None),
        (
            Facts(own_network=False, router="", ways=(Way.NFT,), ports_limited=True),
            Mode.SERVICE,
            None,
        ),
        (Facts(own_network=False, router="", ways=(Way.NFT,)), Mode.HOST, None),
    ],
)
def test_the_best_that_keeps_the_host_out_of_reach(facts, mode, way):
    """Without a wish: the internet if it can be had, the host's own services only as a last way."""
    choice = choose(None, facts)

    assert (choice.mode, choice.way) == (mode, way)
    assert bool(choice.why_not_more) == (mode is not Mode.NAT)


@pytest.mark.parametrize("asked", ["none", "service", "nat"])
def test_what_cannot_be_had_is_refused(asked):
    """Where sandboxes share the host's network only `host` is the truth."""
    shared = Facts(own_network=False, router="", ways=(Way.NFT,))

    with pytest.raises(PlatformError, match=f"--network {asked}"):
        choose(asked, shared)


@pytest.mark.parametrize("mode", list(Mode))
def test_what_is_asked_for_is_given(mode):
    """A host that can do all gives each mode."""
    assert choose(mode.value, ALL).mode is mode


def test_the_filter_of_a_server_is_found_again():
    """What nft lists of our table names its owner, and whether forwarding was off before."""
    ours = firewall.nft_script("123-456", "emb-123-", 0, marked=True)
    other = firewall.nft_script("7-8", "emb-7-", 0, marked=False)

    class Listing(firewall.Nft):
        def owned(self):
            found = firewall._NFT_TABLE.finditer(ours + "table inet filter {\n}\n" + other)
            return [firewall.Owned(f"{m[1]}-{m[2]}", firewall._MARK in m[3]) for m in found]

    assert Listing("").owned() == [
        firewall.Owned("123-456", marked=True),
        firewall.Owned("7-8", marked=False),
    ]


def test_rules_of_iptables_are_found_again():
    """Each rule carries the owner's identity, as iptables prints it."""
    rules = [rule for _, rule in firewall.iptables_rules("123-456", "emb-123-", marked=False)]
    for rule in [*rules, firewall.iptables_bound("123-456", "emb-123-", 9)]:
        text = " ".join(f'"{word}"' if " " in word else word for word in rule)
        listed = firewall._IPT_RULE.match(text.replace("-I ", "-A ", 1))

        assert listed is not None
        assert (listed[2], listed[3], listed[4]) == ("123", "456", None)


def test_nothing_enters_the_host_in_either_filter():
    """Both drop what comes from an uplink to the host, and between uplinks."""
    script = firewall.nft_script("1-2", "emb-1-", 9, marked=False)
    rules = [" ".join(rule) for _, rule in firewall.iptables_rules("1-2", "emb-1-", marked=False)]

    assert 'iifname "emb-1-*" drop' in script
    assert 'iifname "emb-1-*" oifname "emb-*" drop' in script
    assert any(r.startswith("-I INPUT -i emb-1-+") and r.endswith("DROP") for r in rules)
    assert any("-i emb-1-+ -o emb-+" in r and r.endswith("DROP") for r in rules)


def test_a_part_of_the_table_of_connections_stays_the_hosts():
    """What is new beyond the bound is dropped before anything is accepted, where it can be told."""
    script = firewall.nft_script("1-2", "emb-1-", 9, marked=False)
    unbounded = firewall.nft_script("1-2", "emb-1-", 0, marked=False)

    bound = 'iifname "emb-1-*" ct state new ct count over 9 drop'
    assert 0 < script.index(bound) < script.index('iifname "emb-1-*" accept')
    assert "ct count" not in unbounded
    assert firewall.flows_max() > 0


INSIDE = Path(firewall.__file__).parents[1] / "inside"


@pytest.fixture(scope="module")
def address_of():
    """The sandbox side's rule, imported as it is there."""
    sys.path.insert(0, str(INSIDE))
    try:
        import network
    finally:
        sys.path.remove(str(INSIDE))
    return network.address_of


def test_each_place_has_an_address_of_its_own(address_of):
    """60,000 sandboxes: no address twice, none that means something to others, none malformed."""
    addresses = [address_of(n) for n in range(60_000)]
    octets = [tuple(map(int, a.split("."))) for a in addresses]

    assert len(set(addresses)) == 60_000
    assert all(o[:2] == (169, 254) and o[2] <= 255 and 1 <= o[3] <= 254 for o in octets)
    assert not {78, 100, 169, 170} & {o[2] for o in octets}


def test_resolvers_are_read():
    """Comments and nonsense are passed over; without any, libc's own default."""
    text = "# x\nsearch a b\nnameserver 10.0.0.1\nnameserver nonsense\nnameserver fe80::1%eth0\n"

    assert resolvers(text) == ["10.0.0.1", "fe80::1%eth0"]
    assert resolvers("") == ["127.0.0.1"]


def query(number, size=0):
    return struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + b"\1a\0\0\1\0\1" + b"x" * size


class Upstream(asyncio.DatagramProtocol):
    """Answers with the question; with `forged`, first under a wrong number."""

    def __init__(self):
        self.seen = []
        self.forged = False
        self.lost = asyncio.get_running_loop().create_future()

    def connection_lost(self, error):
        self.lost.set_result(error)

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.seen.append(data)
        if self.forged:
            self.transport.sendto(bytes([data[0] ^ 1]) + data[1:] + b"forged", address)
        self.transport.sendto(data + b"answer", address)


def both_on_one_port():
    """A datagram and a listening socket on one port; a port that is free for one may be in use."""
    while True:
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", 0))
        try:
            return datagrams, socket.create_server(datagrams.getsockname())
        except OSError:
            datagrams.close()


@pytest.fixture
async def relayed():
    """A relay before a resolver: (its datagram address, its stream address, the resolver)."""
    loop = asyncio.get_running_loop()
    upstream = Upstream()
    datagrams_up, listener_up = both_on_one_port()
    port = listener_up.getsockname()[1]
    transport, _ = await loop.create_datagram_endpoint(lambda: upstream, sock=datagrams_up)

    async def echo(reader, writer):
        head = await reader.readexactly(2)
        writer.write(head + await reader.readexactly(int.from_bytes(head, "big")))
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    streams_up = await asyncio.start_server(echo, sock=listener_up)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    streams = socket.create_server(("127.0.0.1", 0))
    relay = Relay(datagrams, streams, lambda: ["127.0.0.1"], port)
    yield datagrams.getsockname(), streams.getsockname(), upstream
    relay.close()
    transport.close()
    streams_up.close()
    datagrams.close()
    streams.close()
    begun = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*begun, upstream.lost, return_exceptions=True)


async def ask(address, data):
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        await loop.sock_sendto(client, data, address)
        async with asyncio.timeout(60):
            return await loop.sock_recv(client, 65_535)


async def test_an_answer_comes_back_under_the_clients_number(relayed):
    """The resolver sees a number of the relay's own, the client its own."""
    address, _, upstream = relayed

    answer = await ask(address, query(0x1234))

    assert answer == query(0x1234) + b"answer"
    assert upstream.seen[0][2:] == query(0x1234)[2:]


async def test_an_answer_under_a_wrong_number_is_dropped(relayed):
    """What was not asked is not answered."""
    address, _, upstream = relayed
    upstream.forged = True

    assert await ask(address, query(7)) == query(7) + b"answer"


@given(size=st.integers(4_100, 9_000))
async def test_what_is_too_large_is_not_passed_on(size):
    """Queries are bounded; the next one is served."""
    seen = []
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    streams = socket.create_server(("127.0.0.1", 0))
    relay = Relay(datagrams, streams, lambda: seen.append(1) or ["127.0.0.1"], 9)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(query(1, size), datagrams.getsockname())
        relay._on_query()
        assert seen == []
        client.sendto(query(1), datagrams.getsockname())
        relay._on_query()
        assert seen == [1]
    relay.close()
    datagrams.close()
    streams.close()


async def test_one_sandbox_cannot_use_up_the_relay():
    """Who asks more than its share, and is not answered, leaves room for a neighbour."""
    passed_on = []
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    streams = socket.create_server(("127.0.0.1", 0))
    mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    mute.bind(("127.0.0.1", 0))
    port = mute.getsockname()[1]
    relay = Relay(datagrams, streams, lambda: passed_on.append(1) or ["127.0.0.1"], port)
    try:
        for client, count, altogether in (("127.0.0.2", 100, 64), ("127.0.0.3", 1, 65)):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                asking.bind((client, 0))
                for number in range(count):
                    asking.sendto(query(number), datagrams.getsockname())
                    relay._on_query()
            assert len(passed_on) == altogether
    finally:
        relay.close()
        for each in (datagrams, streams, mute):
            each.close()


async def test_a_stream_is_relayed(relayed):
    """A query with its length before it comes back so."""
    _, address, _ = relayed
    reader, writer = await asyncio.open_connection(*address)
    message = len(query(9)).to_bytes(2, "big") + query(9)
    writer.write(message)

    async with asyncio.timeout(60):
        assert await reader.readexactly(len(message)) == message
    writer.close()
    await writer.wait_closed()
