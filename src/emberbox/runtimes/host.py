"""Which program of this host runs a function, and what to say when there is none."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from emberbox.errors import CallerError
from emberbox.runtimes.dotnet import DOTNET
from emberbox.runtimes.java import JAVA
from emberbox.runtimes.nodejs import NODEJS
from emberbox.runtimes.program import Language, Program, Search
from emberbox.runtimes.provided import PROVIDED
from emberbox.runtimes.python import PYTHON, discover
from emberbox.runtimes.registry import Family, Runtime, Version, choose_version
from emberbox.runtimes.ruby import RUBY

LANGUAGES: Sequence[Language] = (PYTHON, NODEJS, JAVA, RUBY, DOTNET, PROVIDED)
"""All that Emberbox can run, or can say how to get."""


class HostRuntimes:
    """The programs of this host, looked for when they are first asked for."""

    def __init__(
        self,
        home: Path,
        cache: Path,
        languages: Iterable[Language] = LANGUAGES,
        *,
        strict: bool = False,
    ) -> None:
        self._search = Search(home, cache, MappingProxyType(discover(home)))
        self._languages = {language.family: language for language in languages}
        self._strict = strict
        self._found: dict[Family, Mapping[Version, Program]] = {}

    def language(self, family: Family) -> Language:
        """The language of a family; KeyError for one whose runtimes AWS has retired."""
        return self._languages[family]

    def installed(self) -> list[str]:
        """Names of all programs of managed runtimes, by language and version."""
        families = [family for family in self._languages if family is not Family.PROVIDED]
        return [
            program.name
            for family in families
            for _, program in sorted(self.programs(family).items())
        ]

    def programs(self, family: Family) -> Mapping[Version, Program]:
        """Programs of a family by version; looked for again as long as there is none."""
        found = self._found.get(family)
        if not found:
            found = self._look(family)
            self._found[family] = found
        return found

    def _look(self, family: Family) -> Mapping[Version, Program]:
        language = self._languages.get(family)
        found: dict[Version, Program] = {}
        # Without any Python of the host nothing can fork a sandbox, whatever it is to run.
        if language is not None and self._search.pythons:
            for program in language.find(self._search):
                if program.version >= language.minimum:
                    found.setdefault(program.version, program)
        return MappingProxyType(found)

    def choose(self, runtime: Runtime) -> Program:
        """The program for a runtime: its version, else the nearest newer one, else the nearest.

        CallerError that says what is missing and how to get it, if there is none, or if strict
        runtimes are asked for and the very version is not there.
        """
        programs = self.programs(runtime.family)
        chosen = choose_version(runtime.number, programs)
        if chosen is None:
            raise CallerError("InvalidRuntimeException", self._missing(runtime), status=502)
        program = programs[chosen]
        if self._strict and runtime.family is not Family.PROVIDED and chosen != runtime.number:
            raise CallerError(
                "InvalidRuntimeException",
                f"{runtime.identifier} is not installed on this host and strict runtimes are asked "
                f"for: install it, or serve without --strict-runtimes to run on {program.name}.",
                status=502,
            )
        return program

    def notice(self, runtime: Runtime, program: Program) -> str:
        """What a caller should know when another version than the one asked for runs."""
        if program.family is Family.PROVIDED or program.version == runtime.number:
            return ""
        return f"{runtime.identifier} is not installed on this host: running on {program.name}"

    def _missing(self, runtime: Runtime) -> str:
        name = f"{runtime.family.value} {runtime.version}"
        if not self._search.pythons:
            advice = self._languages[Family.PYTHON].advice
            return f"No Python that can make sandboxes was found on this host: {advice}."
        language = self._languages.get(runtime.family)
        if language is None:
            return f"Emberbox has no {name} runtime: such functions can be stored but not run."
        return (
            f"{runtime.identifier} needs {name}, which is not installed on this host: "
            f"{language.advice}."
        )
