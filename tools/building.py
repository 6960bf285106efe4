"""Programs of compiled languages, built once, into .cache of the project: never committed."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[1]
CACHE = ROOT / ".cache" / "runtimes"
PROGRAMS = ROOT / "tests" / "system" / "runtimes" / "programs"
_TIMEOUT_S = 900
_TRIES = 3


class MissingError(Exception):
    """It cannot be had on this machine; the text says why."""


@cache
def go_function() -> Path:
    """An executable: the actions of the conformance suite on aws-lambda-go."""
    need("go", "golang-go")
    return built(
        "go",
        PROGRAMS / "go",
        [["go", "build", "-trimpath", "-o", "bootstrap", "."]],
        "bootstrap",
        {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"},
    )


@cache
def rust_function() -> Path:
    """An executable: a function on lambda_runtime."""
    need("cargo", "cargo")
    return built("rust", PROGRAMS / "rust", [["cargo", "build", "-q"]], "target/debug/bootstrap")


def need(command: str, package: str) -> None:
    """MissingError if there is no such command; the text names Debian's package."""
    if shutil.which(command) is None:
        raise MissingError(f"no {command}: apt install {package}")


def built(
    name: str,
    source: Path,
    commands: Iterable[list[str]],
    result: str,
    variables: dict[str, str] | None = None,
) -> Path:
    """Run the commands in a copy of the source; what was built for the same source is kept."""
    digest = sha256()
    for file in sorted(p for p in source.rglob("*") if p.is_file()):
        digest.update(file.name.encode() + file.read_bytes())
    place = CACHE / f"{name}-{digest.hexdigest()[:12]}"
    if not (place / ".done").exists():
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(source, place)
        for command in commands:
            _run(command, place, variables or {})
        (place / ".done").touch()
    return place / result


def _run(command: list[str], place: Path, variables: dict[str, str]) -> None:
    """Run it, and again if it fails: a registry may have been out of reach for a moment."""
    said = ""
    for _ in range(_TRIES):
        ran = subprocess.run(
            command,
            cwd=place,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if not ran.returncode:
            return
        said = f"{' '.join(command)}: {(ran.stderr + ran.stdout)[-1500:]}"
    raise MissingError(said)
