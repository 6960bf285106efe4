"""A Python interpreter on this host."""

from emberbox.records import dataclass


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python on this host: its program, its prefix and its (major, minor)."""

    executable: str
    prefix: str
    version: tuple[int, int]

    @property
    def name(self) -> str:
        """For instance python3.12."""
        return f"python{self.version[0]}.{self.version[1]}"
