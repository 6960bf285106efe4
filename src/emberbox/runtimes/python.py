"""The Python runtimes: interpreters of this host, forked from a zygote that has our bootstrap.

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
from emberbox.runtimes.program import (
    BOOTSTRAPS,
    RUNTIME_SOCKET,
    Language,
    Program,
    Search,
    bind_prefix,
)
from emberbox.runtimes.registry import Family, Version

MINIMUM: Version = (3, 9)
_OURS = BOOTSTRAPS / "python"
_DIRECTORIES = ("/usr/bin", "/usr/local/bin", "/opt/python/bin")
_NAME = re.compile(r"python3\.(\d{1,2})\Z")
_SDK = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py")


def discover(home: Path) -> dict[Version, Interpreter]:
    """Version -> interpreter; the first found of each version, system directories first."""
    found: dict[Version, Interpreter] = {}
    for program in _candidates(home):
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


def _find(search: Search) -> Iterable[Program]:
    shared = (*_bootstrap(), *_sdk())
    for interpreter in search.pythons.values():
        inside = f"/var/lang/bin/{interpreter.name}"
        names = ("python3", "python", interpreter.name)
        yield Program(
            name=interpreter.name,
            family=Family.PYTHON,
            version=interpreter.version,
            zygote=interpreter,
            command=(inside, "/var/runtime/bootstrap.py"),
            forks=True,
            binds=(*bind_prefix(interpreter.prefix), *shared),
            links={
                **{f"/var/lang/bin/{name}": interpreter.executable for name in names},
                "/var/lang/lib": f"{interpreter.prefix}/lib",
            },
        )


def _bootstrap() -> Iterable[tuple[str, str]]:
    for name in ("bootstrap.py", "emberbox_bootstrap", "snapshot_restore_py"):
        yield str(_OURS / name), f"/var/runtime/{name}"


def _sdk() -> Iterable[tuple[str, str]]:
    """The AWS SDK, which functions need not pack."""
    import botocore  # noqa: PLC0415 - only to find where the SDK is installed

    packages = Path(botocore.__file__).parent.parent
    for name in _SDK:
        if (packages / name).exists():
            yield str(packages / name), f"/var/runtime/{name}"


PYTHON = Language(
    family=Family.PYTHON,
    advice="install Python 3.9 or later (Debian, Ubuntu: apt install python3)",
    find=_find,
    minimum=MINIMUM,
    variables=lambda _runtime: {"LC_CTYPE": "C.UTF-8", "PYTHONPATH": "/var/runtime"},
    fixed={
        "_LAMBDA_TELEMETRY_LOG_FD": "3",
        "_EMBERBOX_RUNTIME_SOCKET": RUNTIME_SOCKET,
        # Without namespaces, layers are elsewhere: the words of variables are replaced there.
        "_EMBERBOX_OPT": "/opt",
    },
    read_at_start=("GLIBC_", "LC_", "LD_", "MALLOC_", "PYTHON"),
)
