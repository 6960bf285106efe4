"""The import contracts can fail: each one notices a forbidden import planted in a copy."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLANTED = [
    ("model/limits.py", "import emberbox.storage", "Requests flow down, never up"),
    ("model/limits.py", "import time", "Rules do no I/O and read no clock"),
    ("machine.py", "import os", "Rules do no I/O and read no clock"),
    ("functions/__init__.py", "import emberbox.invoke", "The Lambda API never reaches"),
    ("services/__init__.py", "import emberbox.isolation", "A neighbouring service never touches"),
    ("gateway/app.py", "import emberbox.isolation.namespaces", "Only what composes the server"),
    ("stray/__init__.py", "", "Requests flow down, never up"),
]


@pytest.fixture(scope="module")
def lint(tmp_path_factory):
    """A function that plants a line in a copy of the source and returns what lint-imports says."""
    place = tmp_path_factory.mktemp("contracts")
    clean = place / "clean"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src" / "emberbox", clean / "emberbox", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", clean / "pyproject.toml")

    def run(number, file, line):
        copy = place / str(number)
        shutil.copytree(clean, copy)
        target = copy / "emberbox" / file
        target.parent.mkdir(exist_ok=True)
        with target.open("a") as out:
            out.write(f"\n{line}\n")
        # The copy stands before the installed package on the path.
        code = (
            "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command"
        )
        return subprocess.run(
            [sys.executable, "-c", f"{code}; lint_imports_command(['--no-cache'])"],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize(("file", "line", "contract"), PLANTED)
def test_planted_import_is_reported(lint, file, line, contract):
    """The contract that the line breaks is named as broken."""
    done = lint(PLANTED.index((file, line, contract)), file, line)

    broken = [text for text in done.stdout.splitlines() if text.endswith("BROKEN")]
    assert done.returncode == 1
    assert any(text.startswith(contract) for text in broken), done.stdout
