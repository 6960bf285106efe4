"""Makes versions Inactive that nobody has used for long, and brings them back."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection

from emberbox.errors import PlatformError
from emberbox.model.configuration import SupersededError
from emberbox.model.function import FunctionVersion
from emberbox.model.idleness import inactive, is_idle, restoring
from emberbox.storage.catalog import FunctionKey
from emberbox.storage.functions import FunctionMissingError, FunctionStore

Place = tuple[str, str, str, str]
"""Account, region, name and version."""

log = logging.getLogger("emberbox.functions")


class Idling:
    """The way to Inactive and from there to Pending; Settling goes on from that."""

    def __init__(self, store: FunctionStore) -> None:
        self._store = store
        self._waking: dict[Place, asyncio.Task[None]] = {}

    async def sweep(
        self,
        used_at: Callable[[Place], float],
        kept: Collection[Place],
        now: float,
        inactive_after_s: float,
    ) -> None:
        """Make Inactive what was used last so long ago, but for what is `kept`."""
        for key, version in await self._store.active():
            place = (*key, version)
            if place not in kept and is_idle(used_at(place), now, inactive_after_s):
                await self._become(key, version, inactive)

    def wake(self, function: FunctionVersion) -> None:
        """Begin to bring a version back that is Inactive, unless that has begun."""
        place = (*function.key, function.version)
        if place not in self._waking:
            work = self._become(FunctionKey(*function.key), function.version, restoring)
            task = self._waking[place] = asyncio.get_running_loop().create_task(work)
            task.add_done_callback(lambda _: self._waking.pop(place))

    async def close(self) -> None:
        """Wait for what was begun."""
        if self._waking:
            await asyncio.wait(list(self._waking.values()))

    async def _become(
        self,
        key: FunctionKey,
        version: str,
        change: Callable[[FunctionVersion, str], FunctionVersion],
    ) -> None:
        revision_id = str(uuid.uuid4())
        try:
            await self._store.update(key, lambda it: change(it, revision_id), version=version)
        except (FunctionMissingError, SupersededError):
            log.debug("%s:%s is used again, or gone", key.name, version)
        except PlatformError:
            log.exception("%s:%s stays as it is", key.name, version)
