"""Who asks for a part of an account's concurrent executions, one after another.

What one has checked against what there is, another must not change before it is written.
"""

import asyncio
from weakref import WeakValueDictionary


class Claims:
    """A turn for each account and region, to be held from the check to the end of the write."""

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    def turn(self, account: str, region: str) -> asyncio.Lock:
        """For `async with`."""
        return self._turns.setdefault((account, region), asyncio.Lock())
