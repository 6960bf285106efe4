"""The column `settings` of a function's row: what most functions do not have, as JSON."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from json import dumps, loads
from typing import Any, Final

from emberbox.model.function import (
    CodeObject,
    FileSystem,
    FunctionVersion,
    Image,
    Layer,
    Managed,
    Vpc,
)

_SETTINGS: Final[Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]]] = {
    "layers": (
        lambda layers: [asdict(layer) for layer in layers],
        lambda layers: tuple(Layer(**layer) for layer in layers),
    ),
    "unzipped_size": (int, int),
    "vpc": (asdict, lambda vpc: Vpc(**_tuples(vpc))),
    "dead_letter_arn": (str, str),
    "kms_key_arn": (str, str),
    "source_directory": (str, str),
    "tenant_isolation": (str, str),
    "file_system": (asdict, lambda system: FileSystem(**system)),
    "managed": (asdict, lambda managed: Managed(**managed)),
    "code_object": (asdict, lambda held: CodeObject(**held)),
    "source_key_arn": (str, str),
    "image": (asdict, lambda image: Image(**_tuples(image))),
}
"""Field of `FunctionVersion` -> how it is written, and how it is read."""


def settings_text(function: FunctionVersion) -> str:
    """JSON of the settings that the function has."""
    return dumps(
        {
            field: write(value)
            for field, (write, _) in _SETTINGS.items()
            if (value := getattr(function, field))
        }
    )


def settings_from(text: str) -> dict[str, Any]:
    """The fields of `FunctionVersion` that such a JSON text tells of."""
    if text == "{}":
        return {}
    return {field: _SETTINGS[field][1](value) for field, value in loads(text).items()}


def _tuples(members: dict[str, Any]) -> dict[str, Any]:
    return {n: tuple(v) if isinstance(v, list) else v for n, v in members.items()}
