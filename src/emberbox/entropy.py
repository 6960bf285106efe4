"""Random digits from the kernel, fetched many at a time: a system call each would be dear.

For the event loop's thread alone, and not after a fork.
"""

import os
from typing import Final

_DIGITS: Final = 8_192


class Entropy:
    """A source of hexadecimal digits."""

    __slots__ = ("_at", "_digits")

    def __init__(self) -> None:
        self._digits = ""
        self._at = 0

    def hex(self, count: int) -> str:
        """So many digits that nobody has seen."""
        if self._at + count > len(self._digits):
            self._digits = os.urandom(max(_DIGITS, count) // 2 + 1).hex()
            self._at = 0
        begin = self._at
        self._at += count
        return self._digits[begin : self._at]

    def uuid(self) -> str:
        """A random UUID (version 4, RFC 9562)."""
        digits = self.hex(31)
        variant = "89ab"[int(digits[15], 16) & 3]
        return (
            f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-{variant}{digits[16:19]}-{digits[19:]}"
        )
