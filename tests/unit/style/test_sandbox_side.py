"""Code that runs inside a sandbox stands alone.

It is started by whatever Python the host has, without our package: only the standard library and
its own neighbours may be imported, and its syntax is that of Python 3.9.
"""

import ast
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[3] / "src" / "emberbox"
INSIDE = SOURCE / "isolation" / "inside"
BOOTSTRAP = SOURCE / "runtimes" / "bootstrap" / "python"
FILES = sorted([*INSIDE.rglob("*.py"), *BOOTSTRAP.rglob("*.py")])


def imported(tree):
    """Top-level names of all modules that the code imports, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_only_the_standard_library_and_neighbours(path):
    """Nothing of ours, and nothing installed, is imported inside a sandbox."""
    neighbours = {p.stem for p in INSIDE.glob("*.py")} | {"emberbox_bootstrap"}

    strangers = set(imported(ast.parse(path.read_text("utf-8")))) - neighbours

    assert strangers <= sys.stdlib_module_names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_syntax_is_that_of_the_oldest_python(path):
    """Python 3.9 can read it."""
    assert ast.parse(path.read_text("utf-8"), feature_version=(3, 9)).body


def test_both_sides_are_looked_at():
    """The files have not moved away from under these tests."""
    assert {"zygote.py", "jail.py", "linux.py"} <= {p.name for p in FILES}
    assert any(p.is_relative_to(BOOTSTRAP) for p in FILES)
