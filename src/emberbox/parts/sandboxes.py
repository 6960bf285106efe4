"""Sandboxes: the back end that this host and the settings choose, with its network."""

from contextlib import AsyncExitStack
from pathlib import Path

from emberbox.isolation.cgroup_owners import server_identity
from emberbox.isolation.namespaces import NamespaceBackend
from emberbox.isolation.network.looking import look
from emberbox.isolation.network.modes import choose
from emberbox.isolation.network.sandboxes import SandboxNetwork
from emberbox.settings import Settings


async def open_sandboxes(settings: Settings, data: Path, stack: AsyncExitStack) -> NamespaceBackend:
    """Open the back end; it ends all its sandboxes when the stack unwinds."""
    trees = data / "packages" / "trees"
    trees.mkdir(parents=True, exist_ok=True)
    for place in (data / "packages", trees):
        place.chmod(0o755)
    run = data / "run"
    run.mkdir(exist_ok=True)
    backend = NamespaceBackend(
        code_store=trees,
        run=run,
        private=data,
        blanks=settings.blank_sandboxes,
        network=SandboxNetwork(choose(settings.network, look(own_network=True)), server_identity()),
    )
    stack.push_async_callback(backend.close)
    return backend
