"""`emberbox doctor`: what this host can isolate and limit, what it has, and how to mend the rest.

Looks and leaves nothing behind. Ends with status 1 if something makes a server impossible.
"""

import json
import os
import shutil
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from emberbox.settings import DEFAULT_PORT, default_data_dir

if TYPE_CHECKING:
    from emberbox.isolation.host import Finding
    from emberbox.runtimes.host import HostRuntimes

_LEAST_FREE_BYTES = 100 << 20
_GOOD_FREE_BYTES = 1 << 30
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.option(
    "--port",
    default=DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Port that a server would listen on.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where a server would keep its data. [default: the XDG data directory]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def doctor(context: click.Context, port: int, data_dir: Path | None, as_json: bool) -> None:
    """Say what this host can isolate and limit, and how to mend what it cannot.

    Ends with status 1 if something makes a server impossible.
    """
    findings = examine(port, data_dir or default_data_dir())
    if as_json:
        click.echo(json.dumps([_as_json(f) for f in findings], indent=2))
    else:
        _print(findings)
    if any(f.level.value == "fail" for f in findings):
        context.exit(1)


def examine(port: int, data_dir: Path) -> "list[Finding]":
    """All findings: the host's, then those about this server to be."""
    from emberbox.isolation import host
    from emberbox.isolation.level_findings import examine_levels
    from emberbox.runtimes.host import HostRuntimes

    installed = HostRuntimes(Path.home(), data_dir / "built")
    return [
        *host.examine(),
        *examine_levels(),
        *runtimes(installed),
        *storage(data_dir),
        listening(port),
        clock(time.time(), Path(__file__).stat().st_mtime),
    ]


def runtimes(installed: "HostRuntimes") -> "list[Finding]":
    """Which languages functions can run in, and how to get the others."""
    from emberbox.isolation.host import Finding, Level
    from emberbox.runtimes.host import LANGUAGES
    from emberbox.runtimes.registry import Family

    found = []
    for language in LANGUAGES:
        topic = language.family.value
        names = [p.name for _, p in sorted(installed.programs(language.family).items())]
        if names and language.family is Family.PROVIDED:
            found.append(Finding(topic, Level.OK, "programs named bootstrap run"))
        elif names:
            text = f"{', '.join(names)}; a version that is missing runs on the nearest one"
            found.append(Finding(topic, Level.OK, text))
        elif language.family is Family.PYTHON:
            # It forks the sandboxes of all other languages too.
            text = "no Python 3.9 or later with its library"
            return [Finding(topic, Level.FAIL, text, language.advice)]
        else:
            text = "not installed: such functions can be stored but not run"
            found.append(Finding(topic, Level.WARN, text, language.advice))
    return found


def storage(data_dir: Path) -> "list[Finding]":
    """Whether the data directory can be used, and how much room it has."""
    from emberbox.isolation.host import Finding, Level

    place = data_dir.absolute()
    existing = next(p for p in (place, *place.parents) if p.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        text = f"{place} cannot be written"
        return [Finding("data", Level.FAIL, text, "choose another with --data-dir")]
    free = shutil.disk_usage(existing).free
    found = f"{place}, {free / (1 << 30):.1f} GiB free"
    if free < _LEAST_FREE_BYTES:
        return [Finding("data", Level.FAIL, found, "free some room, or choose another --data-dir")]
    level = Level.OK if free >= _GOOD_FREE_BYTES else Level.WARN
    fix = "" if level is Level.OK else "free some room: code packages and logs grow"
    return [Finding("data", level, found, fix), _server_on(place)]


def _server_on(place: Path) -> "Finding":
    import fcntl

    from emberbox.isolation.host import Finding, Level

    try:
        lock = (place / "lock").open("r", encoding="ascii")
    except OSError:
        return Finding("server", Level.OK, "none uses this data directory")
    with closing(lock):
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            pid = lock.read(16).strip() or "unknown"
            return Finding("server", Level.OK, f"process {pid} uses this data directory")
    return Finding("server", Level.OK, "none uses this data directory")


def listening(port: int) -> "Finding":
    """Who has the port that a server would take."""
    from emberbox.cli.ports import who_listens
    from emberbox.isolation.host import Finding, Level

    holder = who_listens(port)
    if holder is None:
        return Finding("port", Level.OK, f"{port} is free")
    if "emberbox" in holder:
        return Finding("port", Level.OK, f"{port}: {holder}")
    text = f"{port} is taken by {holder}: clients may be talking to that"
    return Finding("port", Level.WARN, text, "stop it, or choose another with --port")


def clock(now: float, installed: float) -> "Finding":
    """Whether the clock can be right: signatures and log times depend on it."""
    from emberbox.isolation.host import Finding, Level

    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now >= installed:
        return Finding("clock", Level.OK, shown)
    text = f"{shown} is before this program was installed"
    return Finding("clock", Level.WARN, text, "set the clock: timedatectl set-ntp true")


def _as_json(finding: "Finding") -> dict[str, str]:
    return {
        "topic": finding.topic,
        "level": finding.level.value,
        "found": finding.found,
        "fix": finding.fix,
    }


def _print(findings: "list[Finding]") -> None:
    width = max(len(f.topic) for f in findings)
    for finding in findings:
        level = finding.level.value
        mark = click.style(f"{level:4}", fg=_COLOURS[level])
        click.echo(f"{mark}  {finding.topic:{width}}  {finding.found}")
        if finding.fix:
            click.echo(f"{'':{width + 6}}  fix: {finding.fix}")
