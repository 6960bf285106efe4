"""Links, addresses, routes, rules and one address translation, asked of the kernel by netlink.

Used inside zygotes and sandboxes, and by the server for its own end: standard library only. A
request is bytes; `Netlink.ask` sends some at once and raises OSError for the first one refused.
"""

import os
import socket
import struct

NETLINK_ROUTE = 0
_NETLINK_NETFILTER = 12
_REQUEST, _ACK, _CREATE, _EXCL, _DUMP = 0x1, 0x4, 0x400, 0x200, 0x300
_ERROR, _DONE = 2, 3
_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _GETADDR, _NEWROUTE = 16, 17, 18, 20, 22, 24
_NEWRULE, _DELRULE = 32, 33
_IFF_UP = 1
_IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO, _IFLA_AF_SPEC, _IFLA_NET_NS_FD = 3, 4, 18, 26, 28
_INFO_KIND, _INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_INET_CONF, _CONF_FORWARDING, _CONF_RP_FILTER = 1, 1, 8
_INET6_ADDR_GEN_MODE, _GEN_MODE_NONE = 8, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_TABLE_MAIN, _PROTOCOL_STATIC, _SCOPE_LINK, _UNICAST, _ONLINK = 254, 4, 253, 1, 4
_FRA_DST, _FRA_IIFNAME, _FRA_PRIORITY = 1, 3, 6
_RULE_TABLE, _RULE_PROHIBIT = 1, 8
_NESTED = 0x8000


class Netlink:
    """A socket of the network namespace that it is opened in, and it stays of that one."""

    def __init__(self, sock=None):
        # type: (socket.socket | None) -> None
        if sock is None:
            kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
            sock = socket.socket(socket.AF_NETLINK, kind, NETLINK_ROUTE)
            sock.bind((0, 0))
        self.socket = sock

    def ask(self, *requests):
        # type: (bytes) -> None
        """Do all of these; OSError for the first that the kernel refuses."""
        self.socket.send(b"".join(requests))
        waiting, failure = len(requests), 0
        while waiting:
            for kind, body in _messages(self.socket.recv(65536)):
                if kind == _ERROR:
                    waiting -= 1
                    failure = failure or -struct.unpack_from("=i", body)[0]
        if failure:
            raise OSError(failure, os.strerror(failure))

    def addresses(self):
        # type: () -> list[tuple[int, bytes]]
        """(index of the link, IPv4 address) of every address of this namespace."""
        body = struct.pack("=BBBBI", socket.AF_INET, 0, 0, 0, 0)
        self.socket.send(_request(_GETADDR, _DUMP, body)[:])
        found = []  # type: list[tuple[int, bytes]]
        while True:
            for kind, body in _messages(self.socket.recv(65536)):
                if kind in (_DONE, _ERROR):
                    return found
                index = struct.unpack_from("=I", body, 4)[0]
                attributes = dict(_attributes(body[8:]))
                local = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
                if kind == _NEWADDR and local is not None:
                    found.append((index, local))

    def index_of(self, name):
        # type: (str) -> int
        """The index of the link of that name; OSError if there is none."""
        self.socket.send(_request(_GETLINK, 0, _link(0) + _text(_IFLA_IFNAME, name)))
        index = 0
        while True:
            for kind, body in _messages(self.socket.recv(65536)):
                if kind == _NEWLINK:
                    (index,) = struct.unpack_from("=i", body, 4)
                elif kind == _ERROR:
                    failure = -struct.unpack_from("=i", body)[0]
                    if failure:
                        raise OSError(failure, os.strerror(failure))
                    return index


def veth(name, index, peer_name, peer_index, peer_namespace):
    # type: (str, int, str, int, int) -> bytes
    """Make a pair of links; an index of 0 lets the kernel choose, the namespace is a descriptor."""
    peer = (
        _link(peer_index)
        + _text(_IFLA_IFNAME, peer_name)
        + _attribute(_IFLA_NET_NS_FD, struct.pack("=I", peer_namespace))
    )
    data = _attribute(_INFO_DATA, _attribute(_VETH_INFO_PEER, peer))
    kind = _attribute(_IFLA_LINKINFO, _attribute(_INFO_KIND, b"veth") + data)
    return _request(_NEWLINK, _CREATE | _EXCL, _link(index) + _text(_IFLA_IFNAME, name) + kind)


def remove(index):
    # type: (int) -> bytes
    """Remove a link, and with it its peer."""
    return _request(_DELLINK, 0, _link(index))


def up(index, forwards=False):
    # type: (int, bool) -> bytes
    """Bring a link up, without an IPv6 address of its own making."""
    families = _attribute(
        socket.AF_INET6, _attribute(_INET6_ADDR_GEN_MODE, struct.pack("=B", _GEN_MODE_NONE))
    )
    if forwards:
        values = _attribute(_CONF_FORWARDING, struct.pack("=I", 1))
        values += _attribute(_CONF_RP_FILTER, struct.pack("=I", 1))
        families += _attribute(socket.AF_INET, _attribute(_INET_CONF, values))
    return _request(_NEWLINK, 0, _link(index, _IFF_UP) + _attribute(_IFLA_AF_SPEC, families))


def loopback_up():
    # type: () -> bytes
    """Bring up `lo`, which is the first link of every namespace."""
    return _request(_NEWLINK, 0, _link(1, _IFF_UP))


def address(index, ip, bits=32):
    # type: (int, str, int) -> bytes
    """Give a link an address."""
    packed = socket.inet_aton(ip)
    head = struct.pack("=BBBBi", socket.AF_INET, bits, 0, 0, index)
    both = _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
    return _request(_NEWADDR, _CREATE | _EXCL, head + both)


def route(index, ip=None, gateway=None):
    # type: (int, str | None, str | None) -> bytes
    """A route over a link: to one address or, without one, to everywhere."""
    scope = 0 if gateway else _SCOPE_LINK
    head = struct.pack(
        "=BBBBBBBBI", socket.AF_INET, 32 if ip else 0, 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, scope,
        _UNICAST, _ONLINK if gateway else 0,
    )  # fmt: skip
    body = head + _attribute(_RTA_OIF, struct.pack("=i", index))
    if ip:
        body += _attribute(_RTA_DST, socket.inet_aton(ip))
    if gateway:
        body += _attribute(_RTA_GATEWAY, socket.inet_aton(gateway))
    return _request(_NEWROUTE, _CREATE | _EXCL, body)


def allow_from(link, priority):
    # type: (str, int) -> bytes
    """A rule: what comes from that link (`lo`: from this namespace itself) is routed normally."""
    body = _rule(0, _TABLE_MAIN, _RULE_TABLE) + _text(_FRA_IIFNAME, link)
    return _request(
        _NEWRULE, _CREATE | _EXCL, body + _attribute(_FRA_PRIORITY, struct.pack("=I", priority))
    )


def refuse(ip, bits, priority, lift=False):
    # type: (str, int, int, bool) -> bytes
    """A rule: nothing is sent to that network. With `lift`, the rule is taken away."""
    body = _rule(bits, 0, _RULE_PROHIBIT) + _attribute(_FRA_DST, socket.inet_aton(ip))
    body += _attribute(_FRA_PRIORITY, struct.pack("=I", priority))
    if lift:
        return _request(_DELRULE, 0, body)
    return _request(_NEWRULE, _CREATE | _EXCL, body)


def masquerade(link):
    # type: (str) -> None
    """What leaves this namespace by that link leaves with the link's address (nf_tables)."""
    table, chain = b"emberbox", b"leaving"
    expressions = (
        # meta load oifname => reg 1; cmp eq reg 1; masq
        _expression(b"meta", _attribute(1, _be(1)) + _attribute(2, _be(7))),
        _expression(
            b"cmp",
            _attribute(1, _be(1))
            + _attribute(2, _be(0))
            + _nested(3, _attribute(1, link.encode().ljust(16, b"\0"))),
        ),
        _expression(b"masq", b""),
    )
    hook = _nested(4, _attribute(1, _be(4)) + _attribute(2, _be(100)))
    batch = (
        _nf(16, 0, b"", 10),
        _nf(0xA00, _CREATE, _attribute(1, table + b"\0")),
        _nf(
            0xA03, _CREATE,
            _attribute(1, table + b"\0") + _attribute(3, chain + b"\0") + hook
            + _attribute(7, b"nat\0"),
        ),
        _nf(
            0xA06, _CREATE | 0x800,
            _attribute(1, table + b"\0") + _attribute(2, chain + b"\0")
            + _nested(4, b"".join(expressions)),
        ),
        _nf(17, 0, b"", 10),
    )  # fmt: skip
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, _NETLINK_NETFILTER) as sock:
        sock.bind((0, 0))
        sock.settimeout(5.0)
        sock.send(b"".join(batch))
        answers = 0
        while answers < 3:
            for message, body in _messages(sock.recv(65536)):
                failure = -struct.unpack_from("=i", body)[0] if message == _ERROR else 0
                if failure:
                    raise OSError(failure, "nf_tables: " + os.strerror(failure))
                answers += 1


def _request(kind, flags, body):
    # type: (int, int, bytes) -> bytes
    acknowledge = 0 if flags == _DUMP else _ACK
    head = struct.pack("=IHHII", 16 + len(body), kind, flags | _REQUEST | acknowledge, 1, 0)
    return head + body + b"\0" * (-len(body) % 4)


def _nf(kind, flags, body, resource=0):
    # type: (int, int, bytes, int) -> bytes
    """A message of a netfilter batch; its begin and end are not acknowledged."""
    ends = kind in (16, 17)
    content = struct.pack("=BB", 0 if ends else socket.AF_INET, 0) + struct.pack(">H", resource)
    content += body
    flags |= _REQUEST | (0 if ends else _ACK)
    return struct.pack("=IHHII", 16 + len(content), kind, flags, 1, 0) + content


def _link(index, flags=0):
    # type: (int, int) -> bytes
    return struct.pack("=BBHiII", 0, 0, 0, index, flags, flags)


def _rule(bits, table, action):
    # type: (int, int, int) -> bytes
    return struct.pack("=BBBBBBBBI", socket.AF_INET, bits, 0, 0, table, 0, 0, action, 0)


def _expression(name, data):
    # type: (bytes, bytes) -> bytes
    return _nested(1, _attribute(1, name + b"\0") + _nested(2, data))


def _text(kind, value):
    # type: (int, str) -> bytes
    return _attribute(kind, value.encode() + b"\0")


def _nested(kind, content):
    # type: (int, bytes) -> bytes
    return _attribute(kind | _NESTED, content)


def _attribute(kind, content):
    # type: (int, bytes) -> bytes
    return struct.pack("=HH", 4 + len(content), kind) + content + b"\0" * (-len(content) % 4)


def _be(number):
    # type: (int) -> bytes
    return struct.pack(">I", number)


def _messages(data):
    # type: (bytes) -> list[tuple[int, bytes]]
    found = []
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        found.append((kind, data[16:length]))
        data = data[(length + 3) & ~3 :]
    return found


def _attributes(data):
    # type: (bytes) -> list[tuple[int, bytes]]
    found = []
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found.append((kind & 0x3FFF, data[4:length]))
        data = data[(length + 3) & ~3 :]
    return found
