"""Which Python interpreters this host has, for the managed Python runtimes.

Looked for: the usual directories, the versions that pyenv and uv keep in the home directory, and
the interpreter that runs this server. Nothing is executed: a program named python3.X counts when
the standard library of that version lies beside it.
"""

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from emberbox.runtimes.interpreter import Interpreter

MINIMUM = (3, 9)
_DIRECTORIES = ("/usr/bin", "/usr/local/bin", "/opt/python/bin")
_NAME = re.compile(r"python3\.(\d{1,2})\Z")


def discover(home: Path | None = None) -> dict[tuple[int, int], Interpreter]:
    """(major, minor) -> interpreter; the first found of each version, system directories first."""
    found: dict[tuple[int, int], Interpreter] = {}
    for program in _candidates(home or Path.home()):
        interpreter = _recognise(program)
        if interpreter is not None and interpreter.version >= MINIMUM:
            found.setdefault(interpreter.version, interpreter)
    return found


def own() -> Path:
    """The program that runs this process, outside of any virtual environment."""
    return Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"


def _candidates(home: Path) -> Iterable[Path]:
    places = [Path(d) for d in _DIRECTORIES]
    places += sorted(home.glob(".pyenv/versions/3.*/bin"), reverse=True)
    places += sorted(home.glob(".local/share/uv/python/cpython-3.*/bin"), reverse=True)
    for place in places:
        if place.is_dir():
            yield from sorted(place.glob("python3.*"))
    yield own()


def _recognise(program: Path) -> Interpreter | None:
    named = _NAME.match(program.name)
    if named is None or not os.access(program, os.X_OK):
        return None
    real = program.resolve()
    prefix = real.parent.parent
    if not (prefix / "lib" / program.name / "os.py").is_file():
        return None
    return Interpreter(str(real), str(prefix), (3, int(named[1])))
