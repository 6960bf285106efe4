"""Brings what is provisioned in line with what is configured, again and again.

It looks at the configurations and at where aliases point. Whatever changes, a restart included,
the next look makes it so.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from emberbox.environment.fleet import Fleet
from emberbox.errors import EmberboxError
from emberbox.model.alias import Alias
from emberbox.model.attachment import Attachment, Kind
from emberbox.model.function import FunctionVersion, State
from emberbox.model.provisioned import Allocation, wanted

_LOOK_S = 0.5
_REQUESTED = "requested"

log = logging.getLogger("emberbox.provisioned")

Key = tuple[str, str, str]


class Catalog(Protocol):
    """The functions as the control plane has them now."""

    def version(self, key: Key, version: str) -> FunctionVersion | None:
        """A version by its number, or None."""
        ...

    def aliases(self, key: Key) -> list[Alias]:
        """The aliases of a function."""
        ...

    def attachments(self, key: Key, kind: Kind) -> list[Attachment]:
        """The attachments of one kind of a function."""
        ...


Kept = Callable[[FunctionVersion, int], None]
"""Hears how many environments a version has ahead of need; 0 when it is to have none any more."""


class Provisioner:
    """See the module; it looks from `open` on until `close`. `wake` brings back the Inactive."""

    def __init__(self, catalog: Catalog, fleet: Fleet) -> None:
        self._catalog = catalog
        self._fleet = fleet
        self._provisioned: dict[Key, Mapping[str, int]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.kept: Kept = _nobody_counts
        self.wake: Callable[[FunctionVersion], None] = lambda _function: None

    def open(self) -> None:
        """Begin to look."""
        self._timer = asyncio.get_running_loop().call_later(_LOOK_S, self._look)

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def attachment_changed(
        self, key: Key, before: Attachment | None, after: Attachment | None
    ) -> None:
        """Listener of the catalog: the next look is at this function, too."""
        changed = after or before
        if changed is not None and changed.kind is Kind.PROVISIONED:
            self._provisioned.setdefault(key, {})

    def allocation(self, key: Key, version: str) -> Allocation:
        """What a version has now."""
        function = self._catalog.version(key, version)
        return Allocation() if function is None else self._fleet.allocation(function)

    def _look(self) -> None:
        self.open()
        for key in list(self._provisioned):
            self._look_at(key)

    def _look_at(self, key: Key) -> None:
        configs = self._catalog.attachments(key, Kind.PROVISIONED)
        aliases = {alias.name: alias.version for alias in self._catalog.aliases(key)}
        goal = wanted({each.qualifier: each.value[_REQUESTED] for each in configs}, aliases)
        for version in set(goal) | set(self._provisioned[key]):
            function = self._catalog.version(key, version)
            if function is None or function.state is not State.ACTIVE:
                if function is not None and function.state is State.INACTIVE and goal[version]:
                    self.wake(function)
                continue
            try:
                self._fleet.provision(function, goal[version])
            except EmberboxError as error:
                log.warning("%s:%s cannot be provisioned: %s", function.arn, version, error)
            allocated = self._fleet.allocation(function).allocated
            self.kept(function, allocated if goal[version] else 0)
        if goal:
            self._provisioned[key] = goal
        else:
            del self._provisioned[key]


def _nobody_counts(_function: FunctionVersion, _count: int) -> None:
    """Until somebody counts for how long they are kept."""
