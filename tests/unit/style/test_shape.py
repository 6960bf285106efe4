"""The shape that CONTRIBUTING.md asks of the source, checked."""

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "emberbox"
MODULES = sorted(SOURCE.rglob("*.py"))
LINES_MAX = 450


def name(path):
    """A path as a reader of a failure wants to see it."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_module_can_be_read_in_a_sitting(path):
    """No module is longer than a reader can hold: aim at 400 lines, never pass 450."""
    assert len(path.read_text("utf-8").splitlines()) <= LINES_MAX


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_module_says_what_it_is_for(path):
    """Each module opens with a docstring."""
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.name == "__init__.py" and p.parent != SOURCE], ids=name
)
def test_package_files_hold_no_logic(path):
    """An `__init__.py` of a package holds a sentence; sandbox-side ones may be a program."""
    if "bootstrap" in path.parts:
        pytest.skip("the runtime's bootstrap is a program of its own")

    body = ast.parse(path.read_text("utf-8")).body

    assert len(body) == 1


def test_test_files_have_names_of_their_own():
    """Files of one name are not collected together."""
    names = Counter(path.name for path in (SOURCE.parents[1] / "tests").rglob("test_*.py"))

    assert [each for each, count in names.items() if count > 1] == []
