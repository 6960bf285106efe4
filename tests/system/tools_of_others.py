"""Tools of others that tests drive: installed once, by their own package managers, into a cache.

The cache is `.cache/clients` of the working tree; git ignores it. What cannot be had from the
registry skips its tests, with the reason.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".cache" / "clients"
_INSTALL_S = 300


def python_tool(requirement):
    """The directory of programs of a Python package in an environment of its own."""
    place = CACHE / requirement.replace("==", "-")
    with _locked(place):
        if not (place / "bin" / "activate").exists():
            _run([sys.executable, "-m", "venv", str(place)], place)
            pip = [str(place / "bin" / "python"), "-m", "pip", "install", "-q", requirement]
            _run(pip, place)
    return place / "bin"


def chalice_in(place, environment, config):
    """Runs chalice on the application in a directory: what it prints. It must succeed."""
    path = f"{python_tool('chalice==1.34.0')}{os.pathsep}{environment['PATH']}"
    environment = {**environment, "HOME": str(place), "PATH": path}
    (place / ".chalice").mkdir()
    (place / ".chalice" / "config.json").write_text(json.dumps(config))
    (place / "requirements.txt").write_text("")

    def run(*words):
        done = subprocess.run(
            ["chalice", *words],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def python_packages(*requirements):
    """The directory that Python packages are installed in, to go into a function's code."""
    place = CACHE / ("packages-" + "-".join(requirements).replace("==", "-"))
    with _locked(place):
        if not place.exists():
            pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(place)]
            _run([*pip, *requirements], place)
    return place


def node_tool(requirement, *others):
    """The directory of programs of an npm package."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    place = CACHE / requirement.replace("@", "-")
    with _locked(place):
        if not (place / "node_modules" / ".bin").exists():
            place.mkdir(exist_ok=True)
            npm = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
            _run([*npm, "--prefix", str(place), requirement, *others], place)
    return place / "node_modules" / ".bin"


def _locked(place):
    """One process at a time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    lock = place.with_suffix(".lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _run(command, place):
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_INSTALL_S, check=False
        )
        said = done.stderr[-500:] if done.returncode else ""
    except subprocess.TimeoutExpired:
        said = "it took too long"
    if said:
        shutil.rmtree(place, ignore_errors=True)
        pytest.skip(f"{command[-1]} could not be installed: {said}")
