"""Named SQL: statements live in .sql files, each under a `-- name: …` line."""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


class Queries(dict[str, str]):
    """Statement name -> SQL text."""

    @classmethod
    def load(cls, *stems: str) -> "Queries":
        """Read `queries/<stem>.sql` of this package; a name may stand once in all of them."""
        queries = cls()
        for stem in stems:
            text = (_here() / "queries" / f"{stem}.sql").read_text("utf-8")
            parts = _NAME.split(text)
            for name, body in zip(parts[1::2], parts[2::2], strict=True):
                if name in queries:
                    raise ValueError(f"query {name} stands twice")
                queries[name] = body.strip()
        return queries


def migrations(stem: str) -> list[tuple[int, str]]:
    """The scripts `migrations/<stem>/NNNN_*.sql`, by number."""
    folder = _here() / "migrations" / stem
    return sorted(
        (int(f.name[:4]), f.read_text("utf-8")) for f in folder.iterdir() if f.name.endswith(".sql")
    )


def _here() -> Traversable:
    return files("emberbox.storage")
