"""Who signs messages of topics, and the certificate that verifies them."""

import hashlib
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from emberbox.services.sns.signing_key import SigningKey

_KEPT: Final = 1_024


class Signer:
    """Signs texts by the key in a file, which is made when it is first needed; `now` dates it.

    In the file the key is encrypted by `password`.
    """

    def __init__(self, path: Path, now: float, password: bytes) -> None:
        self._path = path
        self._now = now
        self._password = password

    @cached_property
    def _key(self) -> "SigningKey":
        from emberbox.services.sns.signing_key import open_key

        return open_key(self._path, self._now, self._password)

    @property
    def certificate(self) -> bytes:
        """PEM."""
        return self._key.certificate

    @cached_property
    def name(self) -> str:
        """A file name for the certificate; it changes with the key."""
        digest = hashlib.sha256(self.certificate).hexdigest()[:32]
        return f"SimpleNotificationService-{digest}.pem"

    def sign(self, text: bytes, version: str) -> str:
        """The signature of a text: SHA-1 for version 1, SHA-256 for version 2."""
        return _signature(self._key, text, version)


@lru_cache(_KEPT)
def _signature(key: "SigningKey", text: bytes, version: str) -> str:
    """Kept, because all subscriptions of a topic get the same text."""
    return key.sign(text, version)
