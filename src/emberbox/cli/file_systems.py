"""The option that gives functions directories as file systems."""

from pathlib import Path

import click


def file_systems(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, Path], ...]:
    """Pairs of an access point's ARN and a directory, its real path."""
    return tuple(_pair(value) for value in values)


def _pair(value: str) -> tuple[str, Path]:
    arn, _, directory = value.partition("=")
    place = Path(directory).resolve()
    if not arn.startswith("arn:") or not directory or not place.is_dir():
        raise click.BadParameter(f"{value!r} is not of the form ARN=DIRECTORY, with a directory")
    return arn, place
