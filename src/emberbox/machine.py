"""Runs a transition table; nothing else in the project knows how to move a state."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Generic, TypeVar

S = TypeVar("S", bound=Enum)

Table = Mapping[S, frozenset[S]]


class IllegalMoveError(RuntimeError):
    """A move that the table does not hold; the state is unchanged."""


class Machine(Generic[S]):
    """One live state and the table it obeys.

    `observer`, if given, hears of each move as (from, to, reason), after it has happened.
    """

    __slots__ = ("_observer", "_table", "state")

    def __init__(
        self, table: Table[S], start: S, observer: Callable[[S, S, str], None] | None = None
    ) -> None:
        self._table = table
        self._observer = observer
        self.state = start

    def move(self, to: S, reason: str = "") -> None:
        """Go to `to`, or raise IllegalMoveError and stay."""
        origin = self.state
        if to not in self._table[origin]:
            raise IllegalMoveError(f"{origin.name} -> {to.name} ({reason}) is not in the table")
        self.state = to
        if self._observer is not None:
            self._observer(origin, to, reason)

    def can(self, to: S) -> bool:
        """Whether the table allows a move to `to` now."""
        return to in self._table[self.state]

    def __repr__(self) -> str:
        return f"<{self.state.name}>"
