"""`emberbox serve`: run a server in the foreground until it is told to stop."""

import asyncio
import gc
import ipaddress
import json
import logging
import shutil
import signal
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import click

from emberbox import settings as settings_module
from emberbox.cli.elsewhere import given_endpoints, service_endpoints
from emberbox.cli.file_systems import file_systems
from emberbox.cli.spans import spans_option
from emberbox.isolation.levels import STRICT, Level
from emberbox.isolation.network.modes import Mode
from emberbox.settings import AuthMode, Settings

# Few cycles are made on the way of a request: seldom and shallow searches find them in time.
_GARBAGE = (20_000, 20, 20)


@click.command()
@click.option(
    "--host", default=settings_module.DEFAULT_HOST, show_default=True, help="Address to listen on."
)
@click.option(
    "--port",
    default=settings_module.DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where functions, roles and logs are kept. [default: the XDG data directory]",
)
@click.option("--ephemeral", is_flag=True, help="Keep nothing after the server stops.")
@click.option(
    "--region",
    default=settings_module.DEFAULT_REGION,
    show_default=True,
    help="Region of requests that name none.",
)
@click.option(
    "--account",
    default=settings_module.DEFAULT_ACCOUNT,
    show_default=True,
    help="Account of access keys that are not themselves an account number.",
)
@click.option(
    "--max-concurrency",
    default=1_000,
    show_default=True,
    type=click.IntRange(1),
    help="Concurrent executions per account and region.",
)
@click.option(
    "--request-rate",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0.0),
    help="Synchronous requests in a second that a function may get, for each execution that it may "
    "run at the same time; 0 for any number.",
)
@click.option(
    "--admission-wait",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0.0, 900.0),
    help="Seconds that a request may wait for concurrency before it is throttled.",
)
@click.option(
    "--memory-reserve",
    type=click.IntRange(0),
    help="Megabytes of this machine's memory that no new execution environment may take. "
    "[default: a twentieth]",
)
@click.option(
    "--async-concurrency",
    default=32,
    show_default=True,
    type=click.IntRange(1),
    help="Asynchronous invocations that run at once, of all functions together.",
)
@click.option(
    "--max-timeout",
    default=900,
    show_default=True,
    type=click.IntRange(900, 5_400),
    help="Longest time limit that a function may have, in seconds.",
)
@click.option(
    "--idle-timeout",
    default=600.0,
    show_default=True,
    type=click.FloatRange(0.1),
    help="Seconds after which an idle execution environment ends.",
)
@click.option(
    "--inactive-after",
    type=click.FloatRange(1.0),
    help="Seconds without a use after which a function becomes Inactive; the invocation that "
    "finds it so fails, and brings it back. AWS: 14 days and more. [default: never]",
)
@click.option(
    "--freeze-after",
    default=0.01,
    show_default=True,
    type=click.FloatRange(0.0),
    help="Seconds after which an idle execution environment is frozen.",
)
@click.option(
    "--blank-sandboxes",
    default=4,
    show_default=True,
    type=click.IntRange(0, 64),
    help="Sandboxes kept ready for the next cold start, per interpreter.",
)
@click.option(
    "--cpu-limit/--no-cpu-limit",
    default=True,
    show_default=True,
    help="Give functions processor time in proportion to their memory, as AWS does.",
)
@click.option(
    "--strict-runtimes",
    is_flag=True,
    help="Refuse to run a function on another Python version than it asks for.",
)
@click.option(
    "--hot-reload",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A directory whose content may be a function's code as it is; may be given again.",
)
@click.option(
    "--file-system",
    multiple=True,
    metavar="ARN=DIRECTORY",
    callback=file_systems,
    help="A directory that functions may have as the file system of an access point; may be given "
    "again.",
)
@click.option(
    "--isolation",
    type=click.Choice([STRICT, *(level.value for level in Level)]),
    help="A level of isolation by its name, or the best this host has if that is a full one "
    "(strict), else no server. [default: the best this host has]",
)
@click.option(
    "--fresh-process",
    is_flag=True,
    help="Start a new interpreter for each environment instead of a fork of one: slower, and "
    "environments share no layout of memory.",
)
@click.option(
    "--network",
    type=click.Choice([mode.value for mode in Mode]),
    help="What functions can reach: nothing, this server's AWS endpoint, the internet too, or "
    "all that this host can. [default: nat where the host can do it, else service]",
)
@click.option(
    "--auth",
    type=click.Choice([mode.value for mode in AuthMode]),
    default=AuthMode.OPEN.value,
    show_default=True,
    help="Whom to believe: anybody; who signs with a key of ours; and besides, what policies say.",
)
@click.option(
    "--open-to-the-network",
    is_flag=True,
    help="Let anybody who reaches an address beyond this machine run code here.",
)
@click.option(
    "--new-root-credentials",
    is_flag=True,
    help="Make a new access key for the account's root, and remove its older ones.",
)
@click.option(
    "--log-decisions",
    is_flag=True,
    help="Keep what policies allow, too, and not only what they deny.",
)
@click.option(
    "--sns-local-web",
    is_flag=True,
    help="Let topics deliver to web servers on this machine and on private networks.",
)
@service_endpoints
@spans_option
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of the server's own log.",
)
def serve(
    host: str,
    port: int,
    data_dir: Path | None,
    ephemeral: bool,
    region: str,
    account: str,
    max_concurrency: int,
    request_rate: float,
    admission_wait: float,
    memory_reserve: int | None,
    async_concurrency: int,
    max_timeout: int,
    idle_timeout: float,
    inactive_after: float | None,
    freeze_after: float,
    blank_sandboxes: int,
    cpu_limit: bool,
    strict_runtimes: bool,
    hot_reload: tuple[Path, ...],
    file_system: tuple[tuple[str, Path], ...],
    isolation: str | None,
    fresh_process: bool,
    network: str | None,
    log_format: str,
    auth: str,
    open_to_the_network: bool,
    new_root_credentials: bool,
    log_decisions: bool,
    sns_local_web: bool,
    otel: bool,
    **endpoints: str | None,
) -> None:
    """Run a server in the foreground; SIGTERM or Ctrl-C ends it after running invocations."""
    if ephemeral and data_dir is not None:
        raise click.UsageError("--ephemeral keeps nothing: leave out --data-dir.")
    mode = AuthMode(auth)
    _check_exposure(host, mode, open_to_the_network=open_to_the_network)
    if new_root_credentials and mode is AuthMode.OPEN:
        raise click.UsageError("--new-root-credentials: an open server takes any credentials.")
    began = time.monotonic()
    # What is made from here until the server is ready stays: to search it for garbage is in vain.
    gc.disable()
    from emberbox.parts.data_directory import ephemeral_directory

    _set_up_log(log_format)
    place = ephemeral_directory() if ephemeral else data_dir
    settings = Settings(
        data_dir=place or settings_module.default_data_dir(),
        host=host,
        port=port,
        account=account,
        region=region,
        log_format=log_format,
        auth=mode,
        new_root_key=new_root_credentials,
        log_decisions=log_decisions,
        concurrency=max_concurrency,
        request_rate=request_rate,
        admission_wait_s=admission_wait,
        memory_reserve_mb=memory_reserve,
        async_concurrency=async_concurrency,
        timeout_max_s=max_timeout,
        blank_sandboxes=blank_sandboxes,
        idle_timeout_s=idle_timeout,
        inactive_after_s=inactive_after,
        freeze_after_s=freeze_after,
        cpu_limit=cpu_limit,
        strict_runtimes=strict_runtimes,
        hot_reload=hot_reload,
        file_systems=file_system,
        isolation=isolation,
        fresh_process=fresh_process,
        network=network,
        sns_local_web=sns_local_web,
        endpoints=given_endpoints(endpoints),
        otel=otel,
    )
    try:
        _run(settings, began)
    finally:
        if ephemeral and place is not None:
            shutil.rmtree(place, ignore_errors=True)


def _check_exposure(host: str, mode: AuthMode, *, open_to_the_network: bool) -> None:
    """Who lets the network in must know the callers, or say in so many words that he does not."""
    if mode is not AuthMode.OPEN or open_to_the_network:
        return
    try:
        is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise click.UsageError(
            f"an open server on {host} would let anybody who reaches it run code on this machine: "
            "add --auth enforced (or authenticated), or say --open-to-the-network"
        )


def _run(settings: Settings, began: float) -> None:
    import uvloop

    from emberbox.errors import PlatformError
    from emberbox.parts.data_directory import InUseError

    try:
        uvloop.run(_serve(settings, began))
    except InUseError as error:
        raise click.ClickException(str(error)) from None
    except PlatformError as error:
        raise click.ClickException(f"{error}\nTry: emberbox doctor") from None
    except OSError as error:
        raise click.ClickException(_cannot_listen(settings, error)) from None


async def _serve(settings: Settings, began: float) -> None:
    from emberbox.parts.beginning import begin

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        beginning = begin(settings, stack)
        # A long import, while threads find out about the host and make files.
        from emberbox import app

        server = await stack.enter_async_context(app.running(settings, beginning))
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        gc.enable()
        _announce(server, time.monotonic() - began)
        await stop.wait()
        click.echo("emberbox stops: waiting for running invocations", err=True)


def _announce(server: "object", seconds: float) -> None:
    from emberbox import __version__, app
    from emberbox.parts.sandboxes import words

    if not isinstance(server, app.Server):
        raise TypeError(server)
    settings = server.settings
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104
    address = f"http://[{host}]:{server.port}" if ":" in host else f"http://{host}:{server.port}"
    lines = [
        f"emberbox {__version__} ready in {seconds:.2f} s",
        f"  API        {address}    account {settings.account}, {settings.region}",
        f"  Runtimes   {' '.join(server.runtimes) or 'none found'} provided.al2023",
        f"  Isolation  {words(server.backend.isolation)}",
        f"  Network    {server.backend.network.choice.words}",
        f"  Data       {settings.data_dir}",
    ]
    if settings.auth is not AuthMode.OPEN:
        lines.append(f"  Callers    {settings.auth.value}; an access key of this server is needed")
    if server.root_key is not None:
        lines += [
            f"  Root       access key {server.root_key.access_key}",
            f"             secret key {server.root_key.secret}",
            "             shown this once: make users with it, then keep it safe",
        ]
    if server.recovered_sandboxes:
        lines.append(f"  Cleaned    {server.recovered_sandboxes} sandboxes of a server that died")
    lines.append(
        f'In another shell:  eval "$(emberbox env --endpoint-url {address})"  then  '
        "aws lambda list-functions"
    )
    click.echo("\n".join(lines))
    sys.stdout.flush()


def _cannot_listen(settings: Settings, error: OSError) -> str:
    import errno

    where = f"{settings.host}:{settings.port}"
    if error.errno != errno.EADDRINUSE:
        return f"cannot serve on {where}: {error.strerror or error}"
    from emberbox.cli.ports import who_listens

    holder = who_listens(settings.port)
    by = f" by {holder}" if holder else ""
    return (
        f"port {settings.port} is taken{by}: stop that, or choose another with --port "
        "(--port 0 takes a free one)"
    )


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def _set_up_log(form: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    formatter: logging.Formatter = (
        _JsonFormatter()
        if form == "json"
        else logging.Formatter(
            "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
