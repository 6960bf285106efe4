"""Execution environments: how they are planned, where they begin from, and what they sign with."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from emberbox.environment.fleet import Fleet, FleetSettings, Reported
from emberbox.environment.growth import Growth
from emberbox.environment.planning import HostPlanner, LayerTrees
from emberbox.environment.provisioner import Provisioner
from emberbox.environment.room import Room
from emberbox.environment.templates import Templates
from emberbox.identity.container_credentials import ContainerCredentials
from emberbox.isolation.levels import Gives
from emberbox.isolation.machine_memory import MachineMemory
from emberbox.isolation.namespaces import NamespaceBackend
from emberbox.model.function import FunctionVersion
from emberbox.parts.ground import Ground
from emberbox.parts.identity import CREDENTIALS_S, Identities
from emberbox.parts.log_rights import log_rights
from emberbox.parts.logs import Logs
from emberbox.records import dataclass
from emberbox.runtimes.host import HostRuntimes
from emberbox.settings import AuthMode
from emberbox.storage.catalog import FunctionCatalog

_TEMPLATE_IDLE_S = 24 * 3_600.0


@dataclass(frozen=True, slots=True)
class Environments:
    """What others need of it."""

    planner: HostPlanner
    templates: Templates
    fleet: Fleet
    memory: MachineMemory
    provisioner: Provisioner
    credentials: ContainerCredentials

    def open(self, stack: AsyncExitStack) -> None:
        """Begin to look after environments; all end when the stack unwinds."""
        stack.callback(self.memory.close)
        stack.push_async_callback(self.fleet.close)
        self.fleet.open()
        stack.callback(self.provisioner.close)
        self.provisioner.open()


def make_environments(
    ground: Ground,
    backend: NamespaceBackend,
    runtimes: HostRuntimes,
    trees: LayerTrees,
    identities: Identities,
    logs: Logs,
    catalog: FunctionCatalog,
    door: Callable[[FunctionVersion], Callable[[], asyncio.Protocol]],
    reported: Reported,
) -> Environments:
    """Put them together, before what hangs on functions is loaded: the provisioner hears of it."""
    settings, clock, sink = ground.settings, ground.clock, logs.sink
    credentials = ContainerCredentials(
        identities.sessions, ground.secret, clock, duration_s=CREDENTIALS_S
    )
    planner = HostPlanner(
        backend,
        runtimes,
        trees,
        identities.role_credentials(),
        credentials.token,
        limit_cpu=settings.cpu_limit,
        fresh_process=settings.fresh_process,
        # What takes up an image must be alone in its namespaces.
        images=Gives.VIEW in backend.isolation.gives,
    )
    memory = MachineMemory.here()
    templates = Templates(planner, sink, clock, door, idle_s=_TEMPLATE_IDLE_S)
    fleet = Fleet(
        planner,
        planner,
        sink,
        FleetSettings(
            settings.idle_timeout_s, settings.freeze_after_s, request_rate=settings.request_rate
        ),
        clock,
        door,
        templates,
        reported,
        Growth(clock, Room(memory, clock, settings.memory_reserve_mb)),
        log_rights(identities, logs.store) if settings.auth is AuthMode.ENFORCED else None,
    )
    provisioner = Provisioner(catalog, fleet)
    catalog.attachment_listeners.append(provisioner.attachment_changed)
    return Environments(planner, templates, fleet, memory, provisioner, credentials)
