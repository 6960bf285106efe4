"""Composition root: builds every part from the settings, in start order, and stops in reverse.

Each part is composed in `emberbox.parts`; here is only what they need of one another.
"""

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

from emberbox.clock import SystemClock
from emberbox.environment.fleet import Fleet
from emberbox.functions.file_systems import AccessPoints
from emberbox.functions.service import FunctionsService
from emberbox.gateway.connection import Serving
from emberbox.identity.sealing import Sealer
from emberbox.invoke.admission import Limits
from emberbox.invoke.frontdoor import FrontDoor
from emberbox.isolation.namespaces import NamespaceBackend
from emberbox.model.function import FunctionVersion
from emberbox.parts.alarm_actions import connect_actions
from emberbox.parts.asynchronous import Asynchronous, open_asynchronous
from emberbox.parts.autoscaling import open_autoscaling
from emberbox.parts.beginning import Beginning
from emberbox.parts.data_directory import own_secret
from emberbox.parts.draining import drain
from emberbox.parts.environments import Environments, make_environments
from emberbox.parts.events import open_events
from emberbox.parts.front import Front, make_gateway, warm_gateway
from emberbox.parts.ground import Ground
from emberbox.parts.housekeeping import keep_house
from emberbox.parts.identity import Identities, NewRootKey, open_identities
from emberbox.parts.idleness import open_idleness
from emberbox.parts.listening import own_url
from emberbox.parts.log_exports import open_log_exports
from emberbox.parts.logs import Logs, open_log_filters, open_logs
from emberbox.parts.messaging import Messaging, open_deliveries, open_messaging, open_sources
from emberbox.parts.metrics import Metrics, open_metrics
from emberbox.parts.more_metrics import measure_more
from emberbox.parts.objects import Objects, open_objects
from emberbox.parts.push_rights import push_rights
from emberbox.parts.resource_policies import topic_policies
from emberbox.parts.sandboxes import begin_sandboxes, open_sandboxes
from emberbox.parts.spans import open_spans, span_events
from emberbox.parts.topic_rights import topic_rights
from emberbox.parts.traces import open_traces
from emberbox.parts.usage import UsageParts, open_usage, recursion_counter, throttle_counter
from emberbox.records import dataclass
from emberbox.runtimes.host import HostRuntimes
from emberbox.settings import AuthMode, Settings
from emberbox.storage.catalog import CatalogWriter, FunctionCatalog
from emberbox.storage.database import Database
from emberbox.storage.functions import FunctionStore
from emberbox.storage.hot_code import HotCode
from emberbox.storage.packages import PackageStore
from emberbox.telemetry.live import Name

_DATABASE = "state"
_QUERIES = (*FunctionsService.queries, "identities")
_BACKLOG = 2_048


@dataclass(slots=True)
class Server:
    """A running server. `port` is the one it listens on."""

    settings: Settings
    port: int
    backend: NamespaceBackend
    fleet: Fleet
    runtimes: list[str]
    recovered_sandboxes: int
    root_key: NewRootKey | None


@asynccontextmanager
async def running(settings: Settings, beginning: Beginning) -> AsyncIterator[Server]:
    """Go on from the beginning; the server serves while the context is open, and drains when it is
    left."""
    async with AsyncExitStack() as stack:
        _raise_descriptor_limit()
        data, listener = beginning.data, beginning.listener
        await beginning.databases
        backend = await open_sandboxes(settings, beginning, stack)
        runtimes = HostRuntimes(settings.home, data / "built", strict=settings.strict_runtimes)
        recovered = begin_sandboxes(backend, runtimes)

        ground = Ground(settings, data, own_secret(data / "secret"), SystemClock(), stack)
        state = await _open_state(ground)
        logs = await open_logs(ground)
        metrics = await open_metrics(ground)
        fleets: list[Fleet] = []
        usage = await open_usage(ground, metrics.of_lambda, partial(_states, fleets))
        identities = await open_identities(ground, state)
        catalog, writer = await _load_functions(state)
        packages = PackageStore(data / "packages")
        serving: list[Serving] = []
        environments = make_environments(
            ground,
            backend,
            runtimes,
            packages,
            identities,
            logs,
            catalog,
            partial(_door, serving),
            usage.sink.add,
        )
        fleets.append(environments.fleet)
        messaging = await open_messaging(ground, own_url(listener), identities.role_may)
        objects = await open_objects(ground)
        events = await open_events(ground, messaging.rights, metrics.sink)
        functions = await _open_functions(
            ground, writer, packages, identities, objects, messaging, environments
        )
        front_door = FrontDoor(catalog, environments.fleet, ground.clock, _limits(settings))
        traces = open_traces(ground, identities)
        traces.connect(environments.fleet, front_door.tracing)
        autoscaling = await open_autoscaling(ground, state, functions, catalog, environments.fleet)
        front = Front(
            backend,
            catalog,
            functions,
            identities,
            logs,
            metrics,
            usage,
            messaging,
            objects,
            events,
            autoscaling,
            traces,
            environments.credentials,
            front_door,
            open_spans(ground, front_door),
        )
        guard, gateway = make_gateway(ground, front)
        _complete(front_door, packages, usage, metrics, environments, logs, catalog)
        for part in (environments.fleet, environments.templates, front_door, environments.planner):
            catalog.listeners.append(part.function_changed)
        serving.append(Serving.of(gateway, front_door, ground.clock))
        stack.push_async_callback(functions.close)
        environments.open(stack)
        await functions.recover()
        environments.planner.prepare(catalog.runtimes())
        keep_house(functions, environments.fleet, stack)
        asynchronous = await open_asynchronous(ground, front_door, catalog, metrics.of_lambda)
        await _connect(ground, front, asynchronous)
        await open_idleness(ground, front, environments)
        open_log_exports(ground, logs, objects)
        objects.open(asynchronous, messaging, catalog, events.rules.putting.emit, guard, stack)
        accepting = await asyncio.get_running_loop().create_server(
            serving[0].protocol, sock=listener, backlog=_BACKLOG
        )
        stack.push_async_callback(drain, accepting, serving[0], front_door, settings.drain_s)
        stack.callback(asynchronous.invoker.pause)
        mappings = functions.resources.mappings
        open_sources(ground, messaging, mappings, catalog, front_door, metrics.sink, front.spans)
        warm_gateway(gateway, stack)
        yield Server(
            settings,
            listener.getsockname()[1],
            backend,
            environments.fleet,
            runtimes.installed(),
            recovered,
            await identities.open_root(settings.account, renew=settings.new_root_key),
        )


async def _open_state(ground: Ground) -> Database:
    vault = Sealer(ground.secret)
    state = await Database.open(ground.data / "state.db", _DATABASE, _QUERIES, vault=vault)
    ground.stack.push_async_callback(state.close)
    return state


async def _load_functions(state: Database) -> tuple[FunctionCatalog, CatalogWriter]:
    """The catalog as the last server left it, and what writes to it."""
    catalog = FunctionCatalog()
    writer = CatalogWriter(state, catalog)
    await FunctionStore(writer).load()
    return catalog, writer


async def _open_functions(
    ground: Ground,
    writer: CatalogWriter,
    packages: PackageStore,
    identities: Identities,
    objects: Objects,
    messaging: Messaging,
    environments: Environments,
) -> FunctionsService:
    settings = ground.settings
    functions = FunctionsService(
        writer,
        packages,
        clock=ground.clock,
        secret=ground.secret,
        roles=identities.store if settings.auth is AuthMode.ENFORCED else None,
        blobs=objects.code,
        concurrency_limit=settings.concurrency,
        timeout_max_s=settings.timeout_max_s,
        hot_directories=settings.hot_reload,
        access_points=AccessPoints(dict(settings.file_systems)),
        rights=identities.role_may,
        checks=messaging.checks,
        allocations=environments.provisioner.allocation,
        is_decided=settings.auth is AuthMode.ENFORCED,
    )
    await functions.resources.load()
    functions.make_snapshots_by(environments.templates.optimize)
    return functions


def _states(fleets: list[Fleet]) -> Iterator[tuple[Name, str]]:
    """Function and state of each environment."""
    for fleet in fleets:
        for environment in fleet.environments():
            yield Name(*environment.plan.function.key), environment.state.name


def _complete(
    front_door: FrontDoor,
    packages: PackageStore,
    usage: UsageParts,
    metrics: Metrics,
    environments: Environments,
    logs: Logs,
    catalog: FunctionCatalog,
) -> None:
    """What the front door and others ask and tell one another."""
    measure_more(metrics, front_door, environments.fleet, logs, catalog)
    environments.provisioner.kept = usage.sink.kept.look
    front_door.hot_code = HotCode(packages)
    front_door.throttled = throttle_counter(usage.live, metrics.of_lambda)
    front_door.recursive = recursion_counter(metrics.of_lambda)


async def _connect(ground: Ground, front: Front, asynchronous: Asynchronous) -> None:
    """Who can hand in events: topics, rules, schedules, log filters, alarms, the older API."""
    catalog, messaging, metrics = front.catalog, front.messaging, front.metrics
    span_events(front.spans, asynchronous, ground)
    mode = ground.settings.auth
    policies = front.policies()
    may = topic_rights(catalog, policies["sqs"], mode)
    await open_deliveries(ground, messaging, asynchronous, may, metrics.sink)
    may_push = push_rights(catalog, policies, messaging.rights, mode)
    front.events.open(messaging, asynchronous, front.logs, may_push, ground.stack)
    open_log_filters(ground, front.logs, asynchronous, catalog, metrics.sink)
    front.functions.resources.invoking_async.send = asynchronous.entry.send
    topics = topic_policies(messaging.sns.store)
    connect_actions(metrics.actions, messaging.sns, asynchronous.entry, catalog, topics, mode)


def _limits(settings: Settings) -> Limits:
    return Limits(settings.concurrency, settings.request_rate, settings.admission_wait_s)


def _door(serving: list[Serving], _function: FunctionVersion) -> Callable[[], asyncio.Protocol]:
    """What serves AWS calls from inside an environment, once there is a server."""
    return serving[0].door()


def _raise_descriptor_limit() -> None:
    """An environment takes about ten descriptors."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
