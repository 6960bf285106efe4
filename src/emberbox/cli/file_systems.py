"""The option that gives functions directories as file systems."""

from pathlib import Path

import click


def file_systems(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, Path], ...]:
    """Pairs of an access point's ARN and a directory, its real path.

    None lies within another: who writes the outer one could put a link in place of the inner one.
    """
    pairs = tuple(_pair(value) for value in values)
    places = {place for _, place in pairs}
    for place in places:
        outer = next((parent for parent in place.parents if parent in places), None)
        if outer is not None:
            raise click.BadParameter(f"{place} lies within {outer}, which is given too")
    return pairs


def _pair(value: str) -> tuple[str, Path]:
    arn, _, directory = value.partition("=")
    place = Path(directory).resolve()
    if not arn.startswith("arn:") or not directory or not place.is_dir():
        raise click.BadParameter(f"{value!r} is not of the form ARN=DIRECTORY, with a directory")
    return arn, place
