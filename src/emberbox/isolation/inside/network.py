"""The network of a zygote's sandboxes.

Where functions may reach the world, the zygote's own network namespace is the router of its
sandboxes: each has one link to it, and the router one link out, the uplink, which the server makes.
What a sandbox sends is only ever routed out, never to another sandbox, and never to the addresses
that mean something else to every host (169.254.0.0/16: metadata of clouds).
"""

import os
import socket

import linux
import netlink

GATEWAY = "169.254.78.1"
TRACES = "169.254.100.1"
UPLINK = "uplink"
_DNS_PORT = 53
_FIRST_LINK = 1000
# Third octets that mean something to others: the gateway, X-Ray's daemon, metadata services.
_RESERVED = (78, 100, 169, 170)
_UP, _OWN, _LINK_LOCAL = 100, 110, 200
_BACKLOG = 64


class Router:
    """The zygote's side. `namespace` is a descriptor of its network namespace."""

    def __init__(self):
        self.namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def become_router(control):
    """Make this process's network the router, and wait until the server has given it an uplink."""
    linux.unshare(linux.CLONE_NEWNET)
    router = Router()
    asking = netlink.Netlink()
    asking.ask(
        netlink.loopback_up(),
        netlink.address(1, GATEWAY),
        netlink.allow_from(UPLINK, _UP),
        netlink.allow_from("lo", _OWN),
        netlink.refuse("169.254.0.0", 16, _LINK_LOCAL),
    )
    try:
        netlink.masquerade(UPLINK)
        failure = ""
    except OSError as error:
        failure = str(error)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((GATEWAY, _DNS_PORT))
    streams = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    streams.bind((GATEWAY, _DNS_PORT))
    streams.listen(_BACKLOG)
    users = os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    handed = [router.namespace, users, asking.socket.fileno(), datagrams.fileno(), streams.fileno()]
    message = b'{"router": true}' if not failure else b'{"router": false}'
    socket.send_fds(control, [message], handed)
    os.close(users)
    for sock in (asking.socket, datagrams, streams):
        sock.close()
    if not control.recv(65536):
        raise RuntimeError("the server went away")
    return router


def join(mode, router, place):
    """In a sandbox's init: have the network that the mode says. `place` is its number."""
    if mode == "host":
        return
    if mode != "nat":
        linux.unshare(linux.CLONE_NEWNET)
        netlink.Netlink().ask(netlink.loopback_up(), netlink.address(1, TRACES))
        return
    outside = netlink.Netlink()
    linux.unshare(linux.CLONE_NEWNET)
    inside = netlink.Netlink()
    link, ip = _FIRST_LINK + place, address_of(place)
    pair = netlink.veth("eth0", 2, "v%d" % place, link, router.namespace)
    try:
        inside.ask(netlink.loopback_up(), netlink.address(1, TRACES), pair)
    except FileExistsError:
        # Of a sandbox that has ended, whose network the kernel has not yet taken apart.
        outside.ask(netlink.remove(link))
        inside.ask(pair)
    inside.ask(netlink.address(2, ip), netlink.up(2), netlink.route(2, gateway=GATEWAY))
    outside.ask(netlink.up(link, forwards=True), netlink.route(link, ip))


def address_of(place):
    """The address of a sandbox by its number, 0 to 60,000."""
    third, fourth = divmod(place + 2, 254)
    for reserved in _RESERVED:
        if third >= reserved:
            third += 1
    return "169.254.%d.%d" % (third, fourth + 1)
