"""The Ruby runtimes: our bootstrap in Ruby, up and waiting in each blank sandbox.

Looked for: the usual directories, and the versions that rbenv, asdf, ruby-install and mise keep in
the home directory. Nothing is executed: the version is in the program's name or its path.
"""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from emberbox.runtimes.program import (
    BOOTSTRAPS,
    RUNTIME_SOCKET,
    STANDARD_VARIABLES,
    Language,
    Program,
    Search,
    bind_prefix,
)
from emberbox.runtimes.registry import Family, Runtime, Version

_MINIMUM = (3, 0)
_DIRECTORIES = ("/usr/bin", "/usr/local/bin", "/opt/ruby/bin")
_MANAGED = (
    ".rbenv/versions/*/bin",
    ".asdf/installs/ruby/*/bin",
    ".local/share/mise/installs/ruby/*/bin",
    ".rubies/ruby-*/bin",
)
_NAME = re.compile(r"ruby(\d)\.(\d)\Z")
_IN_PATH = re.compile(r"/(?:ruby-)?(\d)\.(\d)\.\d+[^/]*/bin/ruby\Z")
_API = re.compile(r"(\d)\.(\d)\.0\Z")
_PROGRAM = "/var/lang/bin/ruby"
_BOOTSTRAP = "/var/runtime/emberbox"
_MAIN = f"{_BOOTSTRAP}/bootstrap.rb"


def _candidates(home: Path) -> Iterable[Path]:
    places = [Path(d) for d in _DIRECTORIES] + sorted(Path("/opt/rubies").glob("ruby-*/bin"))
    for pattern in _MANAGED:
        places += sorted(home.glob(pattern), reverse=True)
    for place in places:
        for program in (place / "ruby", *sorted(place.glob("ruby[0-9].[0-9]"), reverse=True)):
            if os.access(program, os.X_OK):
                yield program.resolve()


def _version(program: Path) -> Version | None:
    found = _NAME.match(program.name) or _IN_PATH.search(str(program))
    if found is None:
        # The directory of the standard library is named for the version: lib/ruby/3.4.0.
        names = (place.name for place in (program.parent.parent / "lib" / "ruby").glob("*.0"))
        found = next((match for match in map(_API.match, names) if match), None)
    return (int(found[1]), int(found[2])) if found else None


def _find(search: Search) -> Iterable[Program]:
    for program in _candidates(search.home):
        version = _version(program)
        if version is None:
            continue
        yield Program(
            name=f"ruby{version[0]}.{version[1]}",
            family=Family.RUBY,
            version=version,
            zygote=search.zygote,
            command=(_PROGRAM, _MAIN),
            binds=(
                *bind_prefix(str(program.parent.parent)),
                (str(BOOTSTRAPS / "ruby"), _BOOTSTRAP),
                *((p, p) for p in ("/var/lib/gems",) if Path(p).is_dir()),
            ),
            links={_PROGRAM: str(program)},
            waiting=(_PROGRAM, _MAIN, "--wait"),
            waiting_variables=STANDARD_VARIABLES,
        )


def _variables(runtime: Runtime) -> Mapping[str, str]:
    api = f"{runtime.version}.0"
    return {
        "GEM_HOME": "/var/runtime",
        "GEM_PATH": f"/var/task/vendor/bundle/ruby/{api}:/opt/ruby/gems/{api}",
        "RUBYLIB": "/var/task:/var/runtime/lib:/opt/ruby/lib",
    }


RUBY = Language(
    family=Family.RUBY,
    advice="install Ruby 3.0 or later (Debian, Ubuntu: apt install ruby; or rbenv install 3.4)",
    find=_find,
    minimum=_MINIMUM,
    variables=_variables,
    fixed={"_LAMBDA_TELEMETRY_LOG_FD": "3", "_EMBERBOX_RUNTIME_SOCKET": RUNTIME_SOCKET},
    read_at_start=("GLIBC_", "LANG", "LC_", "LD_", "MALLOC_", "RUBYOPT", "RUBY_"),
)
