"""What `emberbox doctor` says of the isolation and the network that a server would have."""

from emberbox.errors import PlatformError
from emberbox.isolation.finding import find_ground
from emberbox.isolation.host import Finding
from emberbox.isolation.host import Level as Grade
from emberbox.isolation.levels import Gives, Ground, Isolation, Level, choose
from emberbox.isolation.network import modes
from emberbox.isolation.network.looking import look
from emberbox.isolation.network.modes import Facts, Mode

_LANDLOCK_PORTS = 4
_FIXES = {
    Level.DELEGATED: "run it as root for a host user of its own for each sandbox",
    Level.WATCHED: "see control groups: run it as root, or with: "
    "systemd-run --user --scope -p Delegate=yes emberbox serve",
    Level.CONFINED: "see namespaces",
}
_NAT = (
    "as root: apt install nftables; as an ordinary user: apt install slirp4netns, and let "
    "/dev/net/tun be opened: chmod 666 /dev/net/tun"
)


def examine_levels() -> list[Finding]:
    """The level of isolation, and the network: as a server without options would have them."""
    ground, tree = find_ground(None)
    if not isinstance(tree, str):
        tree.close()
    isolation = choose(None, ground)
    try:
        return [level(isolation, ground), network(network_facts(isolation, ground))]
    except PlatformError as error:
        return [Finding("isolation", Grade.FAIL, str(error))]


def network_facts(isolation: Isolation, ground: Ground) -> Facts:
    """What this host has for the networks of sandboxes at that level."""
    confined = isolation.level is Level.CONFINED
    return look(
        own_network=Gives.NETWORK in isolation.gives,
        ports_limited=confined and ground.landlock >= _LANDLOCK_PORTS,
    )


def level(isolation: Isolation, ground: Ground) -> Finding:
    """The level; all is well only with a full one."""
    lacks = ", ".join(sorted(g.value for g in isolation.lacks))
    text = isolation.level.value + (f", without: {lacks}" if lacks else "")
    if isolation.is_full:
        return Finding("isolation", Grade.OK, text)
    why = f" ({isolation.why_not_more})" if isolation.why_not_more else ""
    fix = _FIXES.get(isolation.level, "see control groups")
    if isolation.level is Level.CONFINED and not ground.landlock:
        fix += "; or use Linux 5.13 or later with Landlock (boot with lsm=landlock,...)"
    return Finding("isolation", Grade.WARN, text + why, fix)


def network(facts: Facts) -> Finding:
    """The network; all is well if functions reach the internet."""
    choice = modes.choose(None, facts)
    text = f"{choice.words}: {modes.MEANING[choice.mode]}"
    if choice.mode is Mode.NAT:
        return Finding("network", Grade.OK, text)
    return Finding("network", Grade.WARN, f"{text}; no internet: {choice.why_not_more}", _NAT)
