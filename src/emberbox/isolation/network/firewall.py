"""What the host's packet filter is told for one server: let its sandboxes out, and nothing in.

All rules of a server carry its identity, so those of a dead one are found and removed. Two filters
are spoken to: nftables, and iptables where `nft` is not installed. A host with iptables rules that
drop what is forwarded (Docker makes them) gets an exception there too.
"""

import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from emberbox.errors import PlatformError
from emberbox.records import dataclass

LINK_PREFIX = "emb-"
UPLINKS = "198.19.128.0/17"
_SEARCH = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin"
_TIMEOUT_S = 10.0
_MARK = "forwarding_was_off"
_NFT_TABLE = re.compile(r"^table inet emberbox_(\d+)_(\d+) \{$(.*?)^\}", re.MULTILINE | re.DOTALL)
_IPT_RULE = re.compile(r'^-A (.*--comment "?emberbox (\d+)-(\d+)( forwarding_was_off)?"?.*)$')
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_FLOWS = Path("/proc/sys/net/netfilter/nf_conntrack_max")
_FLOWS_USUAL = 65_536


def program(name: str) -> str | None:
    """Where an administrator's program is, also where PATH does not say so."""
    return shutil.which(name) or shutil.which(name, path=_SEARCH)


@dataclass(frozen=True, slots=True)
class Owned:
    """Rules of one server: whose, and whether that server has switched forwarding on."""

    identity: str
    marked: bool


class Nft:
    """The filter as nftables."""

    def __init__(self, path: str) -> None:
        self._path = path

    def owned(self) -> list[Owned]:
        """The servers that have rules here."""
        text = _run([self._path, "list", "ruleset", "inet"])
        return [Owned(f"{m[1]}-{m[2]}", _MARK in m[3]) for m in _NFT_TABLE.finditer(text)]

    def install(self, identity: str, links: str, *, marked: bool) -> None:
        """Rules for the uplinks whose names begin with `links`."""
        try:
            _run([self._path, "-f", "-"], nft_script(identity, links, flows_max(), marked=marked))
        except PlatformError:
            # A kernel that cannot count connections in rules.
            _run([self._path, "-f", "-"], nft_script(identity, links, 0, marked=marked))

    def remove(self, identity: str) -> None:
        """Take a server's rules away."""
        _run([self._path, "delete", "table", "inet", _table(identity)])


class Iptables:
    """The filter as iptables."""

    def __init__(self, path: str) -> None:
        self._path = path

    def owned(self) -> list[Owned]:
        """The servers that have rules here."""
        found: dict[str, bool] = {}
        for _, rule in self._rules():
            identity = f"{rule[2]}-{rule[3]}"
            found[identity] = found.get(identity, False) or bool(rule[4])
        return [Owned(identity, marked) for identity, marked in found.items()]

    def install(self, identity: str, links: str, *, marked: bool) -> None:
        """Rules for the uplinks whose names begin with `links`."""
        for table, rule in iptables_rules(identity, links, marked=marked):
            _run([self._path, "-w", "-t", table, *rule])
        with suppress(PlatformError):
            # Not every kernel can count connections in rules.
            _run([self._path, "-w", "-t", "filter", *iptables_bound(identity, links, flows_max())])

    def except_from_drop(self, identity: str, links: str) -> None:
        """Where what is forwarded is dropped by default: not ours."""
        if "-P FORWARD ACCEPT" not in _run([self._path, "-w", "-S", "FORWARD"]):
            for table, rule in iptables_rules(identity, links, marked=False):
                if "FORWARD" in rule:
                    _run([self._path, "-w", "-t", table, *rule])

    def remove(self, identity: str) -> None:
        """Take a server's rules away."""
        for table, rule in self._rules():
            if f"{rule[2]}-{rule[3]}" == identity:
                words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', rule[1])]
                _run([self._path, "-w", "-t", table, "-D", *words])

    def _rules(self) -> list[tuple[str, re.Match[str]]]:
        found = []
        for table in ("filter", "nat"):
            for line in _run([self._path, "-w", "-t", table, "-S"]).splitlines():
                rule = _IPT_RULE.match(line)
                if rule is not None:
                    found.append((table, rule))
        return found


def nft_script(identity: str, links: str, flows: int, *, marked: bool) -> str:
    """The table of one server. With `marked`, the host forwards for no one else, as before.

    No more than so many `flows` at once go out; 0 for any number.
    """
    bound = f'iifname "{links}*" ct state new ct count over {flows} drop' if flows else ""
    others = f'iifname != "{LINK_PREFIX}*" oifname != "{LINK_PREFIX}*" drop' if marked else ""
    mark = f"chain {_MARK} {{ }}" if marked else ""
    return f"""\
table inet {_table(identity)} {{
  chain input {{
    type filter hook input priority -10; policy accept;
    iifname "{links}*" drop
  }}
  chain forward {{
    type filter hook forward priority -10; policy accept;
    iifname "{links}*" oifname "{LINK_PREFIX}*" drop
    iifname "{links}*" meta nfproto ipv6 drop
    iifname "{links}*" ct status dnat drop
    {bound}
    iifname "{links}*" accept
    oifname "{links}*" ct state established,related accept
    oifname "{links}*" drop
    {others}
  }}
  chain leaving {{
    type nat hook postrouting priority 100; policy accept;
    ip saddr {UPLINKS} masquerade
  }}
  {mark}
}}
"""


def iptables_rules(identity: str, links: str, *, marked: bool) -> list[tuple[str, list[str]]]:
    """(table, arguments) of one server's rules; each is put first, so the last stands on top."""
    comment = f"emberbox {identity}" + (f" {_MARK}" if marked else "")
    ours = ["-m", "comment", "--comment", comment]
    known = ["-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED"]
    translated = ["-m", "conntrack", "--ctstate", "DNAT"]
    others = ["-I", "FORWARD", "!", "-i", f"{LINK_PREFIX}+", "!", "-o", f"{LINK_PREFIX}+"]
    rules = [("filter", [*others, *ours, "-j", "DROP"])] if marked else []
    return [
        *rules,
        ("filter", ["-I", "FORWARD", "-o", f"{links}+", *ours, "-j", "DROP"]),
        ("filter", ["-I", "FORWARD", "-o", f"{links}+", *known, *ours, "-j", "ACCEPT"]),
        ("filter", ["-I", "FORWARD", "-i", f"{links}+", *ours, "-j", "ACCEPT"]),
        (
            "filter",
            ["-I", "FORWARD", "-i", f"{links}+", *translated, *ours, "-j", "DROP"],
        ),
        (
            "filter",
            ["-I", "FORWARD", "-i", f"{links}+", "-o", f"{LINK_PREFIX}+", *ours, "-j", "DROP"],
        ),
        ("filter", ["-I", "INPUT", "-i", f"{links}+", *ours, "-j", "DROP"]),
        ("nat", ["-I", "POSTROUTING", "-s", UPLINKS, *ours, "-j", "MASQUERADE"]),
    ]


def iptables_bound(identity: str, links: str, flows: int) -> list[str]:
    """The rule that no more than so many flows at once go out."""
    return [
        *["-I", "FORWARD", "-i", f"{links}+", "-m", "conntrack", "--ctstate", "NEW"],
        *["-m", "connlimit", "--connlimit-above", str(flows), "--connlimit-mask", "0"],
        *["-m", "comment", "--comment", f"emberbox {identity}", "-j", "DROP"],
    ]


def flows_max() -> int:
    """How much of this host's table of connections functions may fill: half of it."""
    try:
        return int(_FLOWS.read_text("ascii")) // 2
    except (OSError, ValueError):
        # The table is there, and its size known, when the first rule asks for it.
        return _FLOWS_USUAL // 2


def forwarding() -> bool:
    """Whether this host forwards packets at all."""
    return _FORWARDING.read_text("ascii").strip() == "1"


def set_forwarding(*, on: bool) -> None:
    """Let this host forward, or not; OSError where that is not ours to say."""
    _FORWARDING.write_text("1" if on else "0", "ascii")


def _table(identity: str) -> str:
    return "emberbox_" + identity.replace("-", "_")


def _run(command: list[str], said: str = "") -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs with our own arguments
            command,
            input=said,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise PlatformError(f"{command[0]}: {error}") from error
    if done.returncode:
        raise PlatformError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
