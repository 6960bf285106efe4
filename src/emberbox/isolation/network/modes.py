"""The networks a function can have, and which of them this host can give.

A rule without I/O: what was found on the host comes in as `Facts`.
"""

from enum import Enum

from emberbox.errors import PlatformError
from emberbox.records import dataclass


class Mode(Enum):
    """What a function can reach. The Runtime API is always there."""

    NONE = "none"
    SERVICE = "service"
    NAT = "nat"
    HOST = "host"


MEANING = {
    Mode.NONE: "nothing but its own loopback",
    Mode.SERVICE: "this server's AWS endpoint",
    Mode.NAT: "the AWS endpoint and the internet, but neither this host nor other sandboxes",
    Mode.HOST: "whatever this host can reach, the host's own services too",
}


class Way(Enum):
    """What carries a router's packets to the world."""

    NFT = "veth and nftables"
    IPTABLES = "veth and iptables"
    SLIRP = "slirp4netns"
    PASTA = "pasta"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the host has. `ways` are those that can be used, `lacks` says why others cannot.

    `own_network` is whether sandboxes can have a network namespace, `router` whether such a
    namespace can be a router: empty, or why not. `ports_limited` is whether the kernel can at least
    say which ports a process may connect to.
    """

    own_network: bool
    router: str
    ways: tuple[Way, ...]
    lacks: str = ""
    ports_limited: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The network that sandboxes get, by which way, and why they do not get more.

    `asked` is whether nothing less will do.
    """

    mode: Mode
    way: Way | None = None
    why_not_more: str = ""
    asked: bool = False

    @property
    def words(self) -> str:
        """For instance `nat (veth and nftables)`."""
        return f"{self.mode.value} ({self.way.value})" if self.way else self.mode.value


def choose(asked: str | None, facts: Facts) -> Choice:
    """What was asked for, or without a wish the best with internet access that keeps the host's
    own services out of reach; PlatformError if the host cannot give what was asked for."""
    why = _why_no_nat(facts)
    if asked is None:
        if not why:
            return Choice(Mode.NAT, facts.ways[0])
        if facts.own_network or facts.ports_limited:
            return Choice(Mode.SERVICE, None, why)
        return Choice(Mode.HOST, None, "neither network namespaces nor Landlock's port rules")
    mode = Mode(asked)
    if mode is Mode.NAT:
        if why:
            raise PlatformError(f"--network nat is not possible here: {why}")
        return Choice(mode, facts.ways[0], asked=True)
    if mode is not Mode.HOST and not (facts.own_network or facts.ports_limited):
        raise PlatformError(
            f"--network {mode.value} is not possible here: sandboxes share this host's network; "
            "only --network host says so"
        )
    return Choice(mode, asked=True)


def _why_no_nat(facts: Facts) -> str:
    if not facts.own_network:
        return "no network namespaces"
    if facts.router:
        return facts.router
    if not facts.ways:
        return facts.lacks or "no way out was found"
    return ""
