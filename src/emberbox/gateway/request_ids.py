"""Request ids: random UUIDs."""

from typing import Final

from emberbox.entropy import Entropy

_VARIANTS: Final = "89ab"


class RequestIds:
    """A source of request ids for one event loop; not for use after a fork."""

    def __init__(self) -> None:
        self._entropy = Entropy()

    def next(self) -> str:
        """A version 4 UUID as text."""
        digits = self._entropy.hex(32)
        variant = _VARIANTS[int(digits[16], 16) & 3]
        return (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
        )
