"""Settings of functions that are not built yet: refused when they ask for something.

A setting that is stored and then ignored would be a lie, so there is none. Their empty and default
forms, which many tools send, are accepted.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.model.configuration import invalid
from emberbox.model.request import Params

_NO_CUSTOM: Final = (
    "customer-managed runtimes are made of container images, which Emberbox does not run: use "
    "provided.al2023 for a runtime of your own."
)


def _nothing(value: Any) -> bool:
    """Empty, or a structure whose members all are."""
    return not any(value.values()) if isinstance(value, Mapping) else not value


_UNBUILT: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "Runtime": (lambda value: value != "custom", _NO_CUSTOM),
    "RuntimeConfig": (_nothing, _NO_CUSTOM),
    "DurableConfig": (_nothing, "leave it out of the request."),
}
"""Member -> whether a value asks for nothing, and why it is not built or what to do instead."""


def refuse_unbuilt(params: Params) -> None:
    """CallerError for the first member that asks for what is not built."""
    for member, (asks_nothing, instead) in _UNBUILT.items():
        value = params.get(member)
        if value is not None and not asks_nothing(value):
            raise _not_built(member, value, instead)


def _not_built(member: str, value: object, instead: str) -> CallerError:
    asked = f"{member} {value}" if member == "Runtime" else member
    return invalid(f"Emberbox does not build {asked}: {instead}")
