"""Secrets at rest: sealed with the key of the data directory, so that the database alone tells
nothing.

AES-256-GCM. A sealed text is bound to its label and opens under no other. The signatures of clients
can only be verified with their secret keys, which is why those are kept at all.
"""

import hmac
import os
from functools import cached_property
from typing import TYPE_CHECKING

from emberbox.errors import PlatformError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class Sealer:
    """Seals and opens under keys derived from one master secret of 32 bytes or more."""

    def __init__(self, master: bytes) -> None:
        self._master = master

    @cached_property
    def _cipher(self) -> "AESGCM":
        """Made for the first secret: many servers have none."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self.derived("sealing"))

    def derived(self, purpose: str) -> bytes:
        """A key of 32 bytes for another purpose."""
        return hmac.digest(self._master, f"emberbox {purpose}".encode(), "sha256")

    def seal(self, text: str, label: str) -> bytes:
        """The text, unreadable without the master secret."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, text.encode(), label.encode())

    def open(self, sealed: bytes, label: str) -> str:
        """The text again; PlatformError if it was sealed elsewhere, or under another label."""
        from cryptography.exceptions import InvalidTag

        try:
            opened = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], label.encode())
        except (InvalidTag, ValueError):
            raise PlatformError(
                f"what was sealed for {label} cannot be opened: the secret of the data directory "
                "is another one than when it was made"
            ) from None
        return opened.decode()
