"""Sandboxes: the level of isolation and the network that this host and the settings give."""

import asyncio
import logging
import os
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from emberbox.errors import CallerError, PlatformError
from emberbox.isolation.cgroup_owners import server_identity
from emberbox.isolation.file_systems import FileSystems
from emberbox.isolation.level_findings import network_facts
from emberbox.isolation.levels import FULL, Isolation, Level, choose
from emberbox.isolation.namespaces import NamespaceBackend
from emberbox.isolation.network import modes
from emberbox.isolation.network.sandboxes import SandboxNetwork
from emberbox.isolation.watching import WatchedTree
from emberbox.parts.beginning import Beginning
from emberbox.runtimes.host import HostRuntimes
from emberbox.runtimes.registry import RUNTIMES
from emberbox.settings import Settings

log = logging.getLogger("emberbox.isolation")


async def open_sandboxes(
    settings: Settings, beginning: Beginning, stack: AsyncExitStack
) -> NamespaceBackend:
    """Open the back end; it ends all its sandboxes when the stack unwinds."""
    data, (ground, tree) = beginning.data, await beginning.ground
    isolation = choose(settings.isolation, ground)
    if isolation.level is Level.PROCESS:
        log.warning("functions are not isolated: they can do all that this user can")
    if settings.file_systems and not (isolation.level in FULL and ground.owns_users):
        raise PlatformError("--file-system: functions have file systems only in sandboxes of root")
    network = modes.choose(settings.network, network_facts(isolation, ground))
    if isinstance(tree, str) or isolation.level not in FULL | {Level.DELEGATED}:
        if not isinstance(tree, str):
            tree.close()
        tree = WatchedTree()
    trees = data / "packages" / "trees"
    trees.mkdir(parents=True, exist_ok=True)
    for place in (data / "packages", trees):
        place.chmod(0o755)
    run = data / "run"
    run.mkdir(exist_ok=True)
    if isolation.level is Level.CONFINED and ground.owns_users:
        await asyncio.to_thread(_let_through, data)
    backend = NamespaceBackend(
        code_store=trees,
        run=run,
        private=data,
        blanks=settings.blank_sandboxes,
        network=SandboxNetwork(network, server_identity()),
        isolation=isolation,
        owns_users=ground.owns_users,
        tree=tree,
        file_systems=FileSystems(dict(settings.file_systems)),
    )
    stack.push_async_callback(backend.close)
    return backend


def facts(backend: NamespaceBackend) -> dict[str, object]:
    """How this server isolates, for programs."""
    isolation, network = backend.isolation, backend.network.choice
    return {
        "isolation": isolation.level.value,
        "full": isolation.is_full,
        "gives": sorted(g.name.lower() for g in isolation.gives),
        "lacks": sorted(g.name.lower() for g in isolation.lacks),
        "whyNotMore": isolation.why_not_more,
        "controlGroups": backend.cgroups.abilities.arrangement,
        "network": network.mode.value,
        "networkWay": network.way.value if network.way else "",
        "whyNotMoreNetwork": network.why_not_more,
    }


def words(isolation: Isolation) -> str:
    """The level for people: `root-v1, without: ...`."""
    lacks = ", ".join(sorted(g.value for g in isolation.lacks))
    return isolation.level.value + (f" (without: {lacks}; see emberbox doctor)" if lacks else "")


def _let_through(data: Path) -> None:
    """Users of sandboxes come to their code through the data directory: nothing else is theirs."""
    os.umask(0o077)
    for path in data.iterdir():
        if path.name not in {"packages", "run"}:
            path.chmod(0o700 if path.is_dir() else 0o600)
    data.chmod(0o711)
    (data / "run").chmod(0o711)


def begin_sandboxes(backend: NamespaceBackend, runtimes: HostRuntimes) -> int:
    """Make some of the usual runtime before there is any function; how many dead were swept."""
    with suppress(CallerError):
        backend.prepare(runtimes.choose(RUNTIMES["python3.12"]))
    return backend.sweep()
