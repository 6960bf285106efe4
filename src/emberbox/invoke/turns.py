"""Which version an invocation runs: a qualifier's own, or the one whose turn it is."""

from typing import NamedTuple, Protocol

from emberbox.invoke.cross_account import Attachments
from emberbox.model.alias import Alias
from emberbox.model.function import FunctionVersion
from emberbox.model.names import LATEST, PUBLISHED


class Versions(Attachments, Protocol):
    """The functions as the control plane has them now."""

    def version(self, key: tuple[str, str, str], version: str) -> FunctionVersion | None:
        """A version by its number or `$LATEST`, or None."""
        ...

    def alias(self, key: tuple[str, str, str], name: str) -> Alias | None:
        """An alias of a function, or None."""
        ...


class Turn(NamedTuple):
    """What a qualifier means for one invocation; `alias` only if it has weights."""

    function: FunctionVersion
    alias: Alias | None = None


class Turns:
    """Counts the invocations of aliases with weights, so that the shares come out exactly.

    The count begins anew whenever the alias changes.
    """

    def __init__(self, catalog: Versions) -> None:
        self._catalog = catalog
        self._counts: dict[tuple[str, str, str], dict[str, tuple[str, int]]] = {}

    def next(self, key: tuple[str, str, str], qualifier: str | None) -> Turn | None:
        """The version whose turn it is, or None if there is no such function or qualifier.

        Without a qualifier it is `$LATEST`, or `$LATEST.PUBLISHED` where a function has that.
        The turn is not over before `taken`.
        """
        if qualifier is None or qualifier == LATEST:
            function = self._catalog.version(key, LATEST)
            if function is None:
                return None
            if function.managed is not None and qualifier is None:
                function = self._catalog.version(key, PUBLISHED) or function
            return Turn(function)
        alias = self._catalog.alias(key, qualifier)
        if alias is None:
            function = self._catalog.version(key, qualifier)
            return None if function is None else Turn(function)
        version = alias.nth_version(self._count(alias)) if alias.weights else alias.version
        function = self._catalog.version(key, version)
        return None if function is None else Turn(function, alias if alias.weights else None)

    def taken(self, turn: Turn) -> None:
        """An invocation runs it."""
        alias = turn.alias
        if alias is not None:
            counts = self._counts.setdefault(alias.key, {})
            counts[alias.name] = (alias.revision_id, self._count(alias) + 1)

    def function_changed(
        self, before: FunctionVersion | None, after: FunctionVersion | None
    ) -> None:
        """Listener of the catalog: the counts of a function that is gone are forgotten."""
        if after is None and before is not None and before.version == LATEST:
            self._counts.pop(before.key, None)

    def _count(self, alias: Alias) -> int:
        revision_id, count = self._counts.get(alias.key, {}).get(alias.name, ("", 0))
        return count if revision_id == alias.revision_id else 0
