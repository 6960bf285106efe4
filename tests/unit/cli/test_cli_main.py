"""The command group: what it offers and what it does not load."""

import subprocess
import sys

from click.testing import CliRunner

from emberbox import __version__
from emberbox.cli.main import main

HEAVY = ("asyncio", "botocore", "uvicorn", "uvloop", "emberbox.app", "emberbox.isolation.host")


def test_version_is_the_package_version():
    """`--version` prints the name and the version, nothing else."""
    shown = CliRunner().invoke(main, ["--version"])

    assert shown.output == f"emberbox {__version__}\n"
    assert shown.exit_code == 0


def test_help_lists_every_command_and_each_can_be_loaded():
    """What help lists exists, and each command answers its own `--help`."""
    listed = CliRunner().invoke(main, ["-h"]).output

    for name in main.list_commands(main.make_context("emberbox", ["-h"], resilient_parsing=True)):
        assert f"\n  {name} " in listed
        shown = CliRunner().invoke(main, [name, "--help"])
        assert shown.exit_code == 0, shown.output
        assert shown.output.startswith("Usage: main " + name)


def test_unknown_command_names_itself():
    """A command that does not exist ends with status 2 and is named."""
    shown = CliRunner().invoke(main, ["srve"])

    assert shown.exit_code == 2
    assert "No such command 'srve'" in shown.output


def test_light_commands_load_nothing_heavy():
    """Printing exports imports neither the event loop nor the SDK nor the server."""
    code = (
        "import sys\n"
        "from emberbox.cli.main import main\n"
        "main(['env'], standalone_mode=False)\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout.splitlines()[-1] == "[]"


def test_module_can_be_run():
    """`python -m emberbox` is the same command."""
    shown = subprocess.run(
        [sys.executable, "-m", "emberbox", "--version"], capture_output=True, text=True, check=True
    )

    assert shown.stdout == f"emberbox {__version__}\n"
