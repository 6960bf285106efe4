"""Brings functions from Pending to Active, and updates from InProgress to Successful."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from functools import partial

from emberbox.errors import PlatformError
from emberbox.model.configuration import SupersededError, is_unsettled, settled
from emberbox.model.function import FunctionVersion, State
from emberbox.model.idleness import unrestored
from emberbox.model.snapstart import Optimization, optimized
from emberbox.storage.catalog import FunctionKey
from emberbox.storage.functions import Alter, FunctionMissingError, FunctionStore

_PATIENCE_S = 1.0

Optimize = Callable[[FunctionVersion], Awaitable[Optimization]]
"""Makes the snapshot of a version; never fails."""

Restore = Callable[[FunctionVersion], Awaitable[object]]
"""Makes sure that what a version runs from is there; PlatformError if that cannot be."""


async def _no_snapshots(_function: FunctionVersion) -> Optimization:
    return Optimization("this server makes no snapshots")


log = logging.getLogger("emberbox.functions")


class Settling:
    """Owns the tasks that do it. It takes one more write, and with SnapStart a snapshot."""

    def __init__(self, store: FunctionStore, restore: Restore) -> None:
        self._store = store
        self._restore = restore
        self.optimize: Optimize = _no_snapshots
        self._tasks: dict[asyncio.Task[None], tuple[str, str, str]] = {}
        self._optimizing: set[asyncio.Task[None]] = set()

    def function_changed(
        self, _before: FunctionVersion | None, after: FunctionVersion | None
    ) -> None:
        """Listener of the catalog: no change stays unsettled, whatever became of its caller."""
        if after is not None and is_unsettled(after):
            task = asyncio.get_running_loop().create_task(self._settle(after))
            self._tasks[task] = after.key
            task.add_done_callback(self._tasks.pop)
            if after.is_snapshot:
                self._optimizing.add(task)
                task.add_done_callback(self._optimizing.discard)

    async def finished(self, key: FunctionKey) -> None:
        """Wait for what is under way with a function, but not for long.

        Clients that wait for a change ask once, and then again only after a second or five.
        """
        tasks = [task for task, its_key in self._tasks.items() if its_key == key]
        if tasks:
            await asyncio.wait(tasks, timeout=_PATIENCE_S)

    async def settle_all(self) -> None:
        """Settle what a server that died has left behind."""
        for function in await self._store.unsettled():
            if function.is_snapshot:
                # Nobody waits for it but the callers of this version.
                self.function_changed(None, function)
            else:
                await self._settle(function)

    async def close(self) -> None:
        """Wait for what was begun; the versions of snapshots that are not made stay Pending."""
        for task in self._optimizing:
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks))

    async def _settle(self, function: FunctionVersion) -> None:
        key = FunctionKey(*function.key)
        try:
            end = await self._end(function)
            await self._store.update(key, end, version=function.version)
        except (FunctionMissingError, SupersededError):
            log.debug("function %s was changed again before it had settled", function.arn)
        except PlatformError:
            log.exception("function %s stays unsettled until the next start", function.arn)

    async def _end(self, function: FunctionVersion) -> Alter:
        """What becomes of a version, once all is there that it needs."""
        end = partial(settled, revision_id=function.revision_id, next_revision_id=str(uuid.uuid4()))
        if function.state is State.PENDING:
            try:
                await self._restore(function)
            except PlatformError as error:
                log.warning("%s:%s cannot be restored: %s", function.arn, function.version, error)
                return partial(unrestored, reason=str(error), **end.keywords)
        if function.is_snapshot:
            outcome = await self.optimize(function)
            return partial(optimized, outcome=outcome, **end.keywords)
        return end
