"""Composition root: builds every part from the settings, in start order, and stops in reverse.

The only module that names concrete back ends.
"""

import asyncio
import fcntl
import logging
import os
import resource
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from emberbox.clock import Clock, SystemClock
from emberbox.environment.fleet import Fleet
from emberbox.errors import PlatformError
from emberbox.functions.file_systems import AccessPoints
from emberbox.functions.service import FunctionsService
from emberbox.gateway.app import Gateway
from emberbox.gateway.bucket_front import BucketFront
from emberbox.gateway.certificate_page import certificate_page
from emberbox.gateway.code_page import code_page
from emberbox.gateway.connection import Serving
from emberbox.gateway.credentials_page import credentials_page
from emberbox.gateway.function_urls import FRONT as URL_FRONT
from emberbox.gateway.json_page import json_page
from emberbox.gateway.website_page import FRONT as WEBSITE_FRONT
from emberbox.gateway.website_page import PATH as WEBSITE_PATH
from emberbox.identity.container_credentials import PATH as CREDENTIALS_PATH
from emberbox.identity.sealing import Sealer
from emberbox.invoke.admission import Limits
from emberbox.invoke.frontdoor import FrontDoor
from emberbox.isolation.namespaces import NamespaceBackend
from emberbox.model.function import FunctionVersion
from emberbox.model.function_url import PATH as URL_PATH
from emberbox.parts.alarm_actions import connect_actions
from emberbox.parts.asynchronous import Asynchronous, open_asynchronous
from emberbox.parts.autoscaling import open_autoscaling
from emberbox.parts.environments import make_environments
from emberbox.parts.events import open_events
from emberbox.parts.function_urls import function_urls
from emberbox.parts.identity import NewRootKey, open_identities
from emberbox.parts.listening import bind, own_url
from emberbox.parts.logs import Logs, open_log_filters, open_logs
from emberbox.parts.messaging import (
    CERTIFICATES,
    Messaging,
    open_deliveries,
    open_messaging,
    open_sources,
)
from emberbox.parts.metrics import Metrics, open_metrics
from emberbox.parts.more_metrics import measure_more
from emberbox.parts.objects import open_objects
from emberbox.parts.push_rights import push_rights
from emberbox.parts.resource_policies import topic_policies
from emberbox.parts.sandboxes import begin_sandboxes, facts, open_sandboxes
from emberbox.parts.topic_rights import topic_rights
from emberbox.parts.usage import open_usage, recursion_counter, throttle_counter
from emberbox.runtimes.host import HostRuntimes
from emberbox.settings import AuthMode, Settings
from emberbox.storage.catalog import CatalogWriter, FunctionCatalog
from emberbox.storage.database import Database
from emberbox.storage.functions import FunctionStore
from emberbox.storage.hot_code import HotCode
from emberbox.storage.packages import PackageStore
from emberbox.telemetry.live import Live, Name

log = logging.getLogger("emberbox.server")

_DATABASE = "state"
_QUERIES = (*FunctionsService.queries, "identities")
_BACKLOG = 2_048
_DRAIN_LOOK_S = 0.02
_HOUSEKEEPING_S = 3_600.0
_EPHEMERAL_PREFIX = "emberbox-"


class InUseError(PlatformError):
    """Another server uses the data directory."""


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
async def running(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Server]:
    """Start a server; it serves while the context is open and drains when it is left."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        data = _prepared(settings.data_dir, stack)
        listener = bind(settings.host, settings.port, stack)
        backend = await open_sandboxes(settings, data, stack)
        runtimes = HostRuntimes(settings.home, data / "built", strict=settings.strict_runtimes)
        recovered = begin_sandboxes(backend, runtimes)

        secret = _secret(data / "secret")
        state = await _open_state(data, secret, stack)
        logs = await open_logs(data, clock, stack)
        metrics = await open_metrics(data, clock, stack)
        fleets: list[Fleet] = []
        usage = await open_usage(data, clock, stack, metrics.of_lambda, partial(_states, fleets))
        identities = await open_identities(state, secret, settings.auth, clock, stack)
        catalog, writer = await _load_functions(state)
        packages = PackageStore(data / "packages")
        serving: list[Serving] = []
        environments = make_environments(
            settings,
            backend,
            runtimes,
            packages,
            identities,
            secret,
            logs.sink,
            clock,
            catalog,
            partial(_door, serving),
            usage.sink.add,
        )
        fleets.append(environments.fleet)
        messaging = await open_messaging(
            data,
            secret,
            own_url(listener),
            identities.role_may,
            clock,
            stack,
            dict(settings.endpoints),
        )
        objects = await open_objects(data, settings.auth, clock, stack)
        events = await open_events(
            data, settings, secret, messaging.rights, metrics.sink, clock, stack
        )
        policies = events.policies(messaging)
        functions = FunctionsService(
            writer,
            packages,
            clock=clock,
            secret=secret,
            roles=identities.store if settings.auth is AuthMode.ENFORCED else None,
            blobs=objects.code,
            concurrency_limit=settings.concurrency,
            timeout_max_s=settings.timeout_max_s,
            hot_directories=settings.hot_reload,
            access_points=AccessPoints(dict(settings.file_systems), identities.role_may),
            checks=messaging.checks,
            allocations=environments.provisioner.allocation,
        )
        await functions.resources.load()
        functions.make_snapshots_by(environments.templates.optimize)
        guard = identities.guard(
            data,
            catalog,
            {**policies, "s3": objects.s3.policies.of},
            log_all=settings.log_decisions,
        )
        front_door = FrontDoor(catalog, environments.fleet, clock, _limits(settings))
        urls = function_urls(
            settings,
            functions.resources.urls.lookup,
            catalog,
            identities,
            guard,
            front_door,
            metrics.of_lambda,
            clock,
        )
        gateway = Gateway(
            events.among(
                [
                    functions,
                    logs.service,
                    metrics.service,
                    identities.iam,
                    *messaging.services,
                    objects.s3,
                    identities.sts,
                    await open_autoscaling(
                        state, functions, catalog, environments.fleet, clock, stack
                    ),
                ]
            ),
            default_account=settings.account,
            default_region=settings.region,
            account_of=identities.sessions.account_of,
            guard=guard,
            pages={
                "/_emberbox/code/": code_page(functions.downloads.resolve),
                "/_emberbox/sandboxes": json_page(lambda: facts(backend)),
                **usage.guarded(guard),
                CREDENTIALS_PATH: credentials_page(environments.credentials.answer),
                CERTIFICATES: certificate_page(messaging.signer),
                URL_PATH: urls.page,
                WEBSITE_PATH: objects.website_page(guard, settings.region),
            },
            fronts={
                URL_FRONT: urls.page,
                WEBSITE_FRONT: objects.website_page(guard, settings.region),
            },
            buckets=BucketFront(objects.s3.cors_rules, clock),
        )
        _complete(front_door, packages, usage.live, metrics, environments.fleet, logs)
        for part in (environments.fleet, environments.templates, front_door, environments.planner):
            catalog.listeners.append(part.function_changed)
        serving.append(Serving.of(gateway, front_door, clock))
        stack.push_async_callback(functions.close)
        environments.open(stack)
        await functions.recover()
        environments.planner.prepare(catalog.runtimes())
        gateway.warm()
        stack.push_async_callback(
            _cancel, asyncio.create_task(_keep_house(functions, environments.fleet))
        )
        asynchronous = await open_asynchronous(
            data,
            clock,
            stack,
            front_door,
            catalog,
            metrics.of_lambda,
            slots=settings.async_concurrency,
        )
        await open_deliveries(
            messaging,
            asynchronous,
            topic_rights(catalog, policies["sqs"], settings.auth),
            metrics.sink,
            clock,
            stack,
            local_web=settings.sns_local_web,
        )

        events.open(
            messaging,
            asynchronous,
            logs,
            push_rights(catalog, policies, messaging.rights, settings.auth),
            stack,
        )
        objects.open(asynchronous, messaging, catalog, events.rules.putting.emit, guard, stack)
        _connect(functions, asynchronous, metrics, messaging, catalog, settings, logs, stack)
        accepting = await asyncio.get_running_loop().create_server(
            serving[0].protocol, sock=listener, backlog=_BACKLOG
        )
        stack.push_async_callback(_drain, accepting, serving[0], front_door, settings.drain_s)
        stack.callback(asynchronous.invoker.pause)
        open_sources(
            messaging,
            functions.resources.mappings,
            catalog,
            front_door,
            clock,
            stack,
            drain_s=settings.drain_s,
        )
        yield Server(
            settings,
            listener.getsockname()[1],
            backend,
            environments.fleet,
            runtimes.installed(),
            recovered,
            await identities.open_root(settings.account, renew=settings.new_root_key),
        )


def _prepared(place: Path, stack: AsyncExitStack) -> Path:
    """The data directory for this server alone, and descriptors for all it will open."""
    _raise_descriptor_limit()
    return _claim(place, stack)


async def _open_state(data: Path, secret: bytes, stack: AsyncExitStack) -> Database:
    vault = Sealer(secret)
    state = await Database.open(data / "state.db", _DATABASE, _QUERIES, vault=vault)
    stack.push_async_callback(state.close)
    return state


async def _load_functions(state: Database) -> tuple[FunctionCatalog, CatalogWriter]:
    """The catalog as the last server left it, and what writes to it."""
    catalog = FunctionCatalog()
    writer = CatalogWriter(state, catalog)
    await FunctionStore(writer).load()
    return catalog, writer


def _states(fleets: list[Fleet]) -> Iterator[tuple[Name, str]]:
    """Function and state of each environment."""
    for fleet in fleets:
        for environment in fleet.environments():
            yield Name(*environment.plan.function.key), environment.state.name


def _complete(
    front_door: FrontDoor,
    packages: PackageStore,
    live: Live,
    metrics: Metrics,
    fleet: Fleet,
    logs: Logs,
) -> None:
    """What the front door and others ask and tell one another."""
    measure_more(metrics, front_door, fleet, logs.sink, logs.clock)
    front_door.hot_code = HotCode(packages)
    front_door.throttled = throttle_counter(live, metrics.of_lambda)
    front_door.recursive = recursion_counter(metrics.of_lambda)


def _connect(
    functions: FunctionsService,
    asynchronous: Asynchronous,
    metrics: Metrics,
    messaging: Messaging,
    catalog: FunctionCatalog,
    settings: Settings,
    logs: Logs,
    stack: AsyncExitStack,
) -> None:
    """Who can hand in events: the older API, and alarms, which can tell topics too."""
    open_log_filters(logs, asynchronous, catalog, metrics.sink, settings.auth, stack)
    functions.resources.invoking_async.send = asynchronous.entry.send
    connect_actions(
        metrics.actions,
        messaging.sns,
        asynchronous.entry,
        catalog,
        topic_policies(messaging.sns.store),
        settings.auth,
    )


def _limits(settings: Settings) -> Limits:
    return Limits(settings.concurrency, settings.request_rate, settings.admission_wait_s)


def _door(serving: list[Serving], _function: FunctionVersion) -> Callable[[], asyncio.Protocol]:
    """What serves AWS calls from inside an environment, once there is a server."""
    return serving[0].door()


async def _keep_house(functions: FunctionsService, fleet: Fleet) -> None:
    """Remove code that nobody uses, at the start and then every hour."""
    while True:
        mounted = {tree for e in fleet.environments() for tree in e.plan.trees.names}
        try:
            removed = await functions.collect_packages(mounted)
        except OSError as error:
            log.warning("unused code packages could not be removed: %s", error)
        else:
            if removed:
                log.info("%d unused code packages were removed", removed)
        await asyncio.sleep(_HOUSEKEEPING_S)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _drain(
    accepting: asyncio.Server, serving: Serving, front_door: FrontDoor, drain_s: float
) -> None:
    """Take no new work, let what runs come to its end within the time, close the rest."""
    accepting.close()
    for connection in list(serving.state.connections):
        connection.shutdown()
    front_door.is_draining = True
    loop = asyncio.get_running_loop()
    deadline = loop.time() + drain_s
    # Invocations end by themselves: nothing to wait on but to look again.
    while (front_door.in_flight or serving.state.tasks) and loop.time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(_DRAIN_LOOK_S)
    if front_door.in_flight:
        log.warning("%d invocations did not end within %.0f s", front_door.in_flight, drain_s)
    for connection in list(serving.state.connections):
        if connection.transport is not None:
            connection.transport.close()


def _claim(place: Path, stack: AsyncExitStack) -> Path:
    """Make the data directory ours alone until the stack unwinds."""
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = place.resolve()
        place.chmod(0o700)
        lock: IO[str] = stack.enter_context((place / "lock").open("a+", encoding="ascii"))
    except OSError as error:
        raise PlatformError(
            f"the data directory {place} cannot be used: {error.strerror}; choose another with "
            "--data-dir"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        pid = lock.read(16).strip() or "unknown"
        raise InUseError(
            f"{place} is in use by another Emberbox server (pid {pid}): stop it, or give this one "
            "its own --data-dir"
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return place


def ephemeral_directory() -> Path:
    """A fresh temporary data directory; those of servers that died are removed."""
    for old in Path(tempfile.gettempdir()).glob(f"{_EPHEMERAL_PREFIX}*/lock"):
        with suppress(OSError), old.open("r+", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old.parent, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=_EPHEMERAL_PREFIX))


def _secret(path: Path) -> bytes:
    """This data directory's own secret, made at the first start."""
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_bytes(secrets.token_bytes(32))
        fresh.replace(path)
    return path.read_bytes()


def _raise_descriptor_limit() -> None:
    """An environment takes about ten descriptors."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
