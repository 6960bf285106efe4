"""How many invocations ran at once, at most, since somebody last asked."""

from typing import NamedTuple

Key = tuple[str, str, str]
Place = tuple[str, str]


class Most(NamedTuple):
    """The most that ran at once: of each function, of each account in a region, and there of
    those that share what is not reserved."""

    functions: dict[Key, int]
    accounts: dict[Place, int]
    unreserved: dict[Place, int]


class Peaks:
    """Hears of each invocation that begins, and of those of reserved functions that end."""

    def __init__(self) -> None:
        self._most = Most({}, {}, {})
        self._reserved: dict[Place, int] = {}

    def began(self, key: Key, running: int, pooled: int, *, is_pooled: bool) -> None:
        """One more runs: now so many of its function, and so many that share the account's pool."""
        most, place = self._most, key[:2]
        reserved = self._reserved.get(place, 0)
        if is_pooled:
            if pooled > most.unreserved.get(place, 0):
                most.unreserved[place] = pooled
        else:
            reserved += 1
            self._reserved[place] = reserved
        if running > most.functions.get(key, 0):
            most.functions[key] = running
        if pooled + reserved > most.accounts.get(place, 0):
            most.accounts[place] = pooled + reserved

    def reserved_ended(self, place: Place) -> None:
        """One of a function with reserved concurrency has ended."""
        left = self._reserved[place] - 1
        if left:
            self._reserved[place] = left
        else:
            del self._reserved[place]

    def take(self, running: dict[Key, int], pooled: dict[Place, int]) -> Most:
        """The most until now; what runs now is where the next begins from."""
        most = self._most
        unreserved = {place: count for place, count in pooled.items() if count}
        accounts = {
            place: unreserved.get(place, 0) + self._reserved.get(place, 0)
            for place in unreserved.keys() | self._reserved.keys()
        }
        self._most = Most(dict(running), accounts, unreserved)
        return most
