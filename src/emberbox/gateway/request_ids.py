"""Request ids: random UUIDs, made from entropy that is fetched many ids at a time."""

import os
from typing import Final

_BATCH: Final = 256
_VARIANTS: Final = "89ab"


class RequestIds:
    """A source of request ids for one event loop; not for use after a fork."""

    def __init__(self) -> None:
        self._entropy = ""
        self._at = 0

    def next(self) -> str:
        """A version 4 UUID as text."""
        if self._at >= len(self._entropy):
            self._entropy = os.urandom(16 * _BATCH).hex()
            self._at = 0
        digits = self._entropy[self._at : self._at + 32]
        self._at += 32
        variant = _VARIANTS[int(digits[16], 16) & 3]
        return (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
        )
