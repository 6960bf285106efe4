"""Programs that tests build or fetch: once, into .cache of the project, which is never committed.

What cannot be had is a reason to skip, with the way to get it; with CI set it is a failure.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CACHE = ROOT / ".cache" / "runtimes"
PROGRAMS = Path(__file__).parent / "programs"
_TIMEOUT_S = 900


class MissingError(Exception):
    """It cannot be had on this machine; the text says why."""


@cache
def go_function() -> Path:
    """An executable: the actions of the conformance suite on aws-lambda-go."""
    _need("go", "golang-go")
    return _built(
        "go",
        PROGRAMS / "go",
        [["go", "build", "-trimpath", "-o", "bootstrap", "."]],
        "bootstrap",
        {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod"},
    )


@cache
def rust_function() -> Path:
    """An executable: a function on lambda_runtime."""
    _need("cargo", "cargo")
    return _built("rust", PROGRAMS / "rust", [["cargo", "build", "-q"]], "target/debug/bootstrap")


@cache
def node_client() -> Path:
    """A node_modules folder with AWS's runtime client for Node.js, its native part built."""
    for command, package in (
        ("npm", "npm"),
        ("cmake", "cmake"),
        ("autoreconf", "autoconf automake libtool"),
    ):
        _need(command, package)
    fetch = ["npm", "install", "--no-audit", "--no-fund", "aws-lambda-ric@3.3.0"]
    return _built("node-ric", PROGRAMS / "node-ric", [fetch], "node_modules")


@cache
def java_client() -> Path:
    """A folder of jars: AWS's runtime client for Java and what it needs."""
    _need("mvn", "maven")
    fetch = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"]
    return _built("java-ric", PROGRAMS / "java-ric", [fetch], "jars")


def _need(command: str, package: str) -> None:
    if shutil.which(command) is None:
        raise MissingError(f"no {command}: apt install {package}")


def _built(
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
    ran = subprocess.run(
        command,
        cwd=place,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if ran.returncode:
        said = f"{' '.join(command)}: {(ran.stderr + ran.stdout)[-1500:]}"
        raise MissingError(said)


def or_skip(build):
    """What it builds; the test is skipped if that cannot be had, unless on CI."""
    try:
        return build()
    except MissingError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
