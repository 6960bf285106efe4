"""What stands behind a runtime: a language, and its programs on this host.

A `Language` is one family of runtimes: how to find it, what its functions see, what to say when it
is missing. A `Program` is one version of it that this host has; sandboxes are made for programs.
Adding one is described in docs/how-to/add-a-runtime.md.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType

from emberbox.records import dataclass
from emberbox.runtimes.interpreter import Interpreter
from emberbox.runtimes.registry import Family, Runtime, Version

BOOTSTRAPS = Path(__file__).parent / "bootstrap"
"""Where our bootstraps are, a directory for each language."""

RUNTIME_API = "127.0.0.1:9001"
"""Where every runtime reaches the Runtime API."""

RUNTIME_SOCKET = "@" + "emberbox-runtime-api".ljust(107, "-")
"""Where our own runtimes reach the Runtime API: an abstract Unix socket of the sandbox.

Its name has the greatest length: Node.js fills shorter ones with zeros, and they count.
"""


STANDARD_VARIABLES: Mapping[str, str] = MappingProxyType(
    {
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:"
        "/var/task:/var/task/lib:/opt/lib",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "TZ": ":UTC",
    }
)
"""What all runtimes start with, as on AWS; a function's configuration may replace them."""


@dataclass(frozen=True, slots=True)
class Program:
    """One version of a language on this host, as sandboxes are made for it.

    `name` is unique on the host, for instance `node20`. `binds` are read-only mounts (path on the
    host, path inside), `links` symbolic links inside by their path. `command` starts the runtime in
    a sandbox. `entrypoints` are places of a program in the customer's code: the first that exists
    ends the command.

    What makes it start quicker: with `forks` the zygote has loaded the runtime (Python alone can do
    that), and sandboxes are forks of it. `waiting` is a command that blank sandboxes run ahead of
    need, with `waiting_variables`: a runtime that is up and learns from descriptor 4 which function
    it is.

    `build`, if there is one, is called in a thread before the first sandbox is made.
    """

    name: str
    family: Family
    version: Version
    zygote: Interpreter
    command: tuple[str, ...] = ()
    forks: bool = False
    entrypoints: tuple[str, ...] = ()
    binds: tuple[tuple[str, str], ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    waiting: tuple[str, ...] = ()
    waiting_variables: Mapping[str, str] = field(default_factory=dict)
    build: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """Where to look for languages, and what is known already.

    `home` is the user's home directory, `cache` a directory for what is built on this host, and
    `pythons` the interpreters that can fork sandboxes, by version.
    """

    home: Path
    cache: Path
    pythons: Mapping[Version, Interpreter]

    @property
    def zygote(self) -> Interpreter:
        """The interpreter that forks sandboxes of other languages: the newest of the system's."""
        system = [v for v, p in self.pythons.items() if p.executable.startswith("/usr/")]
        return self.pythons[max(system or self.pythons)]


@dataclass(frozen=True, slots=True)
class Language:
    """A family of runtimes.

    `find` gives the programs of this host, the preferred one of a version first. `variables` are
    what a function's configuration may replace, `fixed` what it may not. A function that sets a
    variable that begins with one of `read_at_start` gets a fresh process: one that is up would not
    heed it. `advice` completes "... is not installed on this host: ".
    """

    family: Family
    advice: str
    find: Callable[[Search], Iterable[Program]]
    minimum: Version = (0,)
    variables: Callable[[Runtime], Mapping[str, str]] = lambda _runtime: {}
    fixed: Mapping[str, str] = field(default_factory=dict)
    read_at_start: tuple[str, ...] = ()


def bind_prefix(prefix: str) -> tuple[tuple[str, str], ...]:
    """The mount that shows a directory of the host at its own place; none below /usr."""
    return () if prefix == "/usr" or prefix.startswith("/usr/") else ((prefix, prefix),)
