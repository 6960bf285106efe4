"""Tables for people: columns as wide as they must be, numbers to the right."""

from collections.abc import Iterable, Sequence

import click


def table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: str = "") -> str:
    """A table as text; `numbers` has an r for each column that is set to the right."""
    lines = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[n]) for row in [list(head), *lines]) for n in range(len(head))]
    sides = [*numbers.ljust(len(head), "l")]
    text = [click.style(_row(head, widths, sides), bold=True)]
    text += [_row(row, widths, sides) for row in lines]
    return "\n".join(text)


def _row(cells: Sequence[str], widths: Sequence[int], sides: Sequence[str]) -> str:
    padded = [
        cell.rjust(width) if side == "r" else cell.ljust(width)
        for cell, width, side in zip(cells, widths, sides, strict=True)
    ]
    return "  ".join(padded).rstrip()


def money(amount: float) -> str:
    """An amount of dollars, with as many digits as it needs."""
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.7f}"
