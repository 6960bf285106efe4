"""The OS-only runtimes: a program of the customer's own, named `bootstrap`."""

from collections.abc import Iterable

from emberbox.runtimes.program import Language, Program, Search
from emberbox.runtimes.registry import Family


def _find(search: Search) -> Iterable[Program]:
    yield Program(
        name="provided",
        family=Family.PROVIDED,
        version=(0,),
        zygote=search.zygote,
        entrypoints=("/var/task/bootstrap", "/opt/bootstrap"),
    )


PROVIDED = Language(family=Family.PROVIDED, advice="", find=_find)
