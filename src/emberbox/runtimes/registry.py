"""The runtime identifiers of AWS Lambda as data, and which installed version serves which of them.

Source: the enum `Runtime` of botocore's lambda model and the runtimes page of the Lambda guide.
What is installed on this host is found by `emberbox.runtimes.host`, and a module a language.
"""

from collections.abc import Collection, Mapping
from enum import Enum
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from emberbox.records import dataclass

Version = tuple[int, ...]


class Family(Enum):
    """The language a runtime runs; PROVIDED runs a program of the customer's own."""

    NODEJS = "Node.js"
    PYTHON = "Python"
    JAVA = "Java"
    DOTNET = ".NET"
    RUBY = "Ruby"
    GO = "Go"
    PROVIDED = "custom"


class Phase(Enum):
    """How far the deprecation of a runtime has gone.

    DEPRECATED ones are without support but can still be chosen; RETIRED ones cannot, neither by a
    new function nor by an update.
    """

    PREVIEW = "preview"
    CURRENT = "current"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Runtime:
    """One identifier. `successor` is what to take instead of a retired one."""

    identifier: str
    family: Family
    version: str
    phase: Phase = Phase.CURRENT
    successor: str | None = None

    @property
    def number(self) -> Version:
        """The version as numbers to compare; (0,) where it is none, as of the OS-only runtimes."""
        parts = self.version.split(".")
        return tuple(map(int, parts)) if all(p.isdigit() for p in parts) else (0,)

    @property
    def can_be_chosen(self) -> bool:
        """Whether a function may be created with it or updated to it."""
        return self.phase is not Phase.RETIRED


_TABLE: Final = (
    Runtime("nodejs26.x", Family.NODEJS, "26"),
    Runtime("nodejs24.x", Family.NODEJS, "24"),
    Runtime("nodejs22.x", Family.NODEJS, "22"),
    Runtime("nodejs20.x", Family.NODEJS, "20", Phase.DEPRECATED),
    Runtime("nodejs18.x", Family.NODEJS, "18", Phase.DEPRECATED),
    Runtime("nodejs16.x", Family.NODEJS, "16", Phase.RETIRED, "nodejs24.x"),
    Runtime("nodejs14.x", Family.NODEJS, "14", Phase.RETIRED, "nodejs24.x"),
    Runtime("nodejs12.x", Family.NODEJS, "12", Phase.RETIRED, "nodejs24.x"),
    Runtime("nodejs10.x", Family.NODEJS, "10", Phase.RETIRED, "nodejs24.x"),
    Runtime("nodejs8.10", Family.NODEJS, "8.10", Phase.RETIRED, "nodejs24.x"),
    Runtime("nodejs6.10", Family.NODEJS, "6.10", Phase.RETIRED, "nodejs24.x"),
    Runtime("nodejs4.3", Family.NODEJS, "4.3", Phase.RETIRED, "nodejs24.x"),
    Runtime("nodejs4.3-edge", Family.NODEJS, "4.3", Phase.RETIRED, "nodejs24.x"),
    Runtime("nodejs", Family.NODEJS, "0.10", Phase.RETIRED, "nodejs24.x"),
    Runtime("python3.15", Family.PYTHON, "3.15", Phase.PREVIEW),
    Runtime("python3.14", Family.PYTHON, "3.14"),
    Runtime("python3.13", Family.PYTHON, "3.13"),
    Runtime("python3.12", Family.PYTHON, "3.12"),
    Runtime("python3.11", Family.PYTHON, "3.11"),
    Runtime("python3.10", Family.PYTHON, "3.10", Phase.DEPRECATED),
    Runtime("python3.9", Family.PYTHON, "3.9", Phase.DEPRECATED),
    Runtime("python3.8", Family.PYTHON, "3.8", Phase.DEPRECATED),
    Runtime("python3.7", Family.PYTHON, "3.7", Phase.RETIRED, "python3.14"),
    Runtime("python3.6", Family.PYTHON, "3.6", Phase.RETIRED, "python3.14"),
    Runtime("python2.7", Family.PYTHON, "2.7", Phase.RETIRED, "python3.14"),
    Runtime("java25", Family.JAVA, "25"),
    Runtime("java21", Family.JAVA, "21"),
    Runtime("java17.al2023", Family.JAVA, "17"),
    Runtime("java17", Family.JAVA, "17"),
    Runtime("java11.al2023", Family.JAVA, "11"),
    Runtime("java11", Family.JAVA, "11"),
    Runtime("java8.al2023", Family.JAVA, "8"),
    Runtime("java8.al2", Family.JAVA, "8"),
    Runtime("java8", Family.JAVA, "8", Phase.RETIRED, "java25"),
    Runtime("dotnet10", Family.DOTNET, "10"),
    Runtime("dotnet8", Family.DOTNET, "8"),
    Runtime("dotnet6", Family.DOTNET, "6", Phase.DEPRECATED),
    Runtime("dotnetcore3.1", Family.DOTNET, "3.1", Phase.RETIRED, "dotnet10"),
    Runtime("dotnetcore2.1", Family.DOTNET, "2.1", Phase.RETIRED, "dotnet10"),
    Runtime("dotnetcore2.0", Family.DOTNET, "2.0", Phase.RETIRED, "dotnet10"),
    Runtime("dotnetcore1.0", Family.DOTNET, "1.0", Phase.RETIRED, "dotnet10"),
    Runtime("ruby4.0", Family.RUBY, "4.0"),
    Runtime("ruby3.4", Family.RUBY, "3.4"),
    Runtime("ruby3.3", Family.RUBY, "3.3"),
    Runtime("ruby3.2", Family.RUBY, "3.2", Phase.DEPRECATED),
    Runtime("ruby2.7", Family.RUBY, "2.7", Phase.RETIRED, "ruby4.0"),
    Runtime("ruby2.5", Family.RUBY, "2.5", Phase.RETIRED, "ruby4.0"),
    Runtime("go1.x", Family.GO, "1", Phase.RETIRED, "provided.al2023"),
    Runtime("provided.al2023", Family.PROVIDED, "al2023"),
    Runtime("provided.al2", Family.PROVIDED, "al2"),
    Runtime("provided", Family.PROVIDED, "al1", Phase.RETIRED, "provided.al2023"),
)

RUNTIMES: Final[Mapping[str, Runtime]] = MappingProxyType(
    {runtime.identifier: runtime for runtime in _TABLE}
)
"""Identifier -> runtime. `custom` is missing: it names no runtime but a customer's own."""


def choose_version(
    wanted: Version, installed: Collection[Version], minimum: Version = (0,)
) -> Version | None:
    """The installed version that runs code written for `wanted`; None if none can.

    The same if it is there, else the nearest newer one, else the nearest older one; never one below
    `minimum`.
    """
    usable = [version for version in installed if version >= minimum]
    newer = [version for version in usable if version >= wanted]
    if newer:
        return min(newer)
    return max(usable, default=None)


def runtime_version_arn(region: str, identifier: str) -> str:
    """The ARN of a runtime's version; the same for an identifier at all times and on all hosts."""
    digest = sha256(f"emberbox runtime {identifier}".encode()).hexdigest()
    return f"arn:aws:lambda:{region}::runtime:{digest}"
