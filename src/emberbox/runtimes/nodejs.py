"""The Node.js runtimes: our bootstrap in JavaScript, up and waiting in each blank sandbox.

Looked for: the usual directories, and the versions that nvm, fnm, nodenv, volta and asdf keep in
the home directory. The version is read from the header files beside the program or from its path;
only where neither tells is the program asked.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from emberbox.runtimes.program import (
    BOOTSTRAPS,
    RUNTIME_API,
    RUNTIME_SOCKET,
    STANDARD_VARIABLES,
    Language,
    Program,
    Search,
    bind_prefix,
)
from emberbox.runtimes.registry import Family, Runtime

_MINIMUM = (18,)
_DIRECTORIES = ("/usr/bin", "/usr/local/bin", "/opt/nodejs/bin", "/opt/node/bin")
_MANAGED = (
    ".nvm/versions/node/v*/bin",
    ".local/share/fnm/node-versions/v*/installation/bin",
    ".nodenv/versions/*/bin",
    ".volta/tools/image/node/*/bin",
    ".asdf/installs/nodejs/*/bin",
)
_HEADER = re.compile(r"^#define NODE_MAJOR_VERSION (\d+)$", re.MULTILINE)
_IN_PATH = re.compile(r"/v?(\d+)\.\d+\.\d+/")
_ASKED = re.compile(r"v(\d+)\.")
_PROGRAM = "/var/lang/bin/node"
_BOOTSTRAP = "/var/runtime/emberbox"
_MAIN = f"{_BOOTSTRAP}/index.js"
_ASK_TIMEOUT_S = 5.0


def _candidates(home: Path) -> Iterable[Path]:
    places = [Path(d) for d in _DIRECTORIES]
    for pattern in _MANAGED:
        places += sorted(home.glob(pattern), reverse=True)
    for place in places:
        if os.access(place / "node", os.X_OK):
            yield (place / "node").resolve()


def _major(program: Path) -> int | None:
    header = program.parent.parent / "include" / "node" / "node_version.h"
    if header.is_file():
        found = _HEADER.search(header.read_text("utf-8", "replace"))
    else:
        found = _IN_PATH.search(str(program)) or _ASKED.match(_ask(program))
    return int(found[1]) if found else None


def _ask(program: Path) -> str:
    try:
        ran = subprocess.run(  # noqa: S603 - a program the host calls node
            [program, "--version"],
            capture_output=True,
            text=True,
            timeout=_ASK_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return ran.stdout


def _find(search: Search) -> Iterable[Program]:
    for program in _candidates(search.home):
        major = _major(program)
        if major is None:
            continue
        yield Program(
            name=f"node{major}",
            family=Family.NODEJS,
            version=(major,),
            zygote=search.zygote,
            command=(_PROGRAM, _MAIN),
            binds=(
                *bind_prefix(str(program.parent.parent)),
                (str(BOOTSTRAPS / "nodejs"), _BOOTSTRAP),
            ),
            links={_PROGRAM: str(program)},
            waiting=(_PROGRAM, _MAIN, "--wait"),
            # It connects before it waits.
            waiting_variables={
                **STANDARD_VARIABLES,
                "AWS_LAMBDA_RUNTIME_API": RUNTIME_API,
                "_EMBERBOX_RUNTIME_SOCKET": RUNTIME_SOCKET,
            },
        )


def _variables(runtime: Runtime) -> Mapping[str, str]:
    places = (
        f"/opt/nodejs/node{runtime.version}/node_modules",
        "/opt/nodejs/node_modules",
        "/var/runtime/node_modules",
        "/var/runtime",
        "/var/task",
    )
    return {"NODE_PATH": ":".join(places)}


NODEJS = Language(
    family=Family.NODEJS,
    advice="install Node.js 18 or later (Debian, Ubuntu: apt install nodejs; or nvm install 22)",
    find=_find,
    minimum=_MINIMUM,
    variables=_variables,
    fixed={"_LAMBDA_TELEMETRY_LOG_FD": "3", "_EMBERBOX_RUNTIME_SOCKET": RUNTIME_SOCKET},
    read_at_start=(
        "GLIBC_",
        "LANG",
        "LC_",
        "LD_",
        "MALLOC_",
        "NODE_DEBUG",
        "NODE_DISABLE_",
        "NODE_EXTRA_CA_CERTS",
        "NODE_ICU_DATA",
        "NODE_NO_WARNINGS",
        "NODE_OPTIONS",
        "NODE_PENDING_DEPRECATION",
        "NODE_PRESERVE_SYMLINKS",
        "NODE_REDIRECT_WARNINGS",
        "NODE_V8_COVERAGE",
        "OPENSSL_",
        "SSL_CERT_",
        "UV_",
    ),
)
