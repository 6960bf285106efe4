"""What keeps secrets unreadable in the database, as the layers above provide it."""

from typing import Protocol


class Vault(Protocol):
    """Seals texts and opens them again; each is bound to its label and opens under no other."""

    def seal(self, text: str, label: str) -> bytes:
        """The text, unreadable for who has only the database."""
        ...

    def open(self, sealed: bytes, label: str) -> str:
        """The text again; PlatformError if it was sealed elsewhere."""
        ...


class NoVault:
    """Seals nothing: for databases without secrets."""

    def seal(self, text: str, _label: str) -> bytes:
        """The text as it is."""
        return text.encode()

    def open(self, sealed: bytes, _label: str) -> str:
        """The text as it was."""
        return sealed.decode()
