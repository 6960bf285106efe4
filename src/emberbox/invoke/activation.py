"""Invocations that wait for their function to become Active, and what others are told meanwhile.

Source: "Lambda function states" of AWS's guide.
"""

import asyncio
from collections.abc import Callable

from emberbox.errors import CallerError
from emberbox.invoke.turns import Versions
from emberbox.model.function import FunctionVersion, State
from emberbox.model.idleness import waking
from emberbox.model.snapstart import not_ready

_WAIT_S = 5.0


class Activation:
    """A function is Pending for milliseconds here: the caller need not see it.

    `wake` brings back one that is Inactive; who has found it so is told, as on AWS.
    """

    def __init__(self, catalog: Versions) -> None:
        self._catalog = catalog
        self.wake: Callable[[FunctionVersion], None] = _nobody_wakes
        self._futures: dict[tuple[str, str, str], list[asyncio.Future[None]]] = {}

    def function_changed(
        self, before: FunctionVersion | None, after: FunctionVersion | None
    ) -> None:
        """Listener of the catalog."""
        changed = after or before
        if changed is None or not self._futures:
            return
        for future in self._futures.pop(changed.key, []):
            if not future.done():
                future.set_result(None)

    async def wait(self, function: FunctionVersion) -> FunctionVersion:
        """The function once it is Active; CallerError if that is not soon."""
        if function.state is State.INACTIVE:
            self.wake(function)
            raise waking(function)
        if function.state is State.PENDING:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._futures.setdefault(function.key, []).append(future)
            try:
                await asyncio.wait_for(future, _WAIT_S)
            except TimeoutError:
                raise busy(function) from None
            found = self._catalog.version(function.key, function.version)
            if found is not None and found.state is State.ACTIVE:
                return found
        raise busy(function)


def _nobody_wakes(_function: FunctionVersion) -> None:
    """Until somebody does."""


def busy(function: FunctionVersion) -> CallerError:
    """The refusal of a function that cannot be invoked as it is now."""
    if function.is_snapshot and function.state is State.PENDING:
        return not_ready()
    return CallerError(
        "ResourceConflictException",
        "The operation cannot be performed at this time. The function is currently in the "
        f"following state: {function.state.value}",
        status=409,
    )
