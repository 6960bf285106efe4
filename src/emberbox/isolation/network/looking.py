"""What this host has for the networks of sandboxes."""

import os
from pathlib import Path

from emberbox.isolation.network import firewall
from emberbox.isolation.network.modes import Facts, Way

_TUN = Path("/dev/net/tun")
_NET_ADMIN = 12


def look(*, own_network: bool, router: str = "", ports_limited: bool = False) -> Facts:
    """The facts; what a probe has found of namespaces and Landlock is given."""
    linked, no_link = _links()
    translated, no_translator = _translators()
    lacks = "; ".join(text for text in (no_link, no_translator) if text)
    return Facts(own_network, router, (*linked, *translated), lacks, ports_limited)


def _links() -> tuple[list[Way], str]:
    """Links to the host and its packet filter: those who administer its network only."""
    if not _may_administer():
        return [], ""
    ways = [
        way
        for way, name in ((Way.NFT, "nft"), (Way.IPTABLES, "iptables"))
        if firewall.program(name) is not None
    ]
    if not ways:
        return [], "neither nftables nor iptables is installed"
    if not (firewall.forwarding() or os.access("/proc/sys/net/ipv4/ip_forward", os.W_OK)):
        return [], "net.ipv4.ip_forward is off and cannot be set"
    return ways, ""


def _translators() -> tuple[list[Way], str]:
    ways = [
        way
        for way, name in ((Way.SLIRP, "slirp4netns"), (Way.PASTA, "pasta"))
        if firewall.program(name) is not None
    ]
    if not ways:
        return [], "neither slirp4netns nor pasta (package passt) is installed"
    if not os.access(_TUN, os.R_OK | os.W_OK):
        return [], f"{_TUN} may not be opened"
    return ways, ""


def _may_administer() -> bool:
    """Whether this process may change the network that it is in."""
    for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _NET_ADMIN & 1)
    return False
