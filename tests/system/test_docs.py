"""The commands that README and tutorial show are run, and show what the pages say.

On a page, `<!-- tested -->` stands before a block of commands and `<!-- file: NAME -->` before the
text of a file. `$ ` begins a command, the lines after it are its output, `…` stands for anything.
A command that shows no output may print what it likes. All commands of a page run in one shell.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tools.running import client_environment, running

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "docs/tutorial/first-function.md",
    "docs/how-to/bring-a-runtime.md",
    "docs/how-to/call-a-function-over-http.md",
    "docs/how-to/feed-a-function-from-a-queue.md",
    "docs/how-to/release-with-versions.md",
]
_BLOCK = re.compile(
    r"<!-- (tested|file)(?:: (\S+))? -->\n```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE
)
_MARK = "@@ end of command"


@dataclass(frozen=True)
class Command:
    """A command as the page has it, and the output shown for it."""

    text: str
    shown: str


def commands(block):
    """The commands of a block, in order."""
    found = []
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        last = next(n for n, line in enumerate(lines) if not line.endswith("\\"))
        text = "\n".join(lines[: last + 1])
        found.append(Command(text, "\n".join(lines[last + 1 :])))
    return found


def bare(text):
    """The text without blanks at the ends of its lines."""
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


def pattern(shown):
    """A pattern for the shown output; a line of only `…` stands for any number of lines."""
    parts = [re.escape(part) for part in bare(shown).split("…")]
    return re.compile(".*?".join(parts), re.DOTALL)


@pytest.fixture
def shell(tmp_path):
    """A function that runs commands in one shell, against a server of its own."""
    place, home = tmp_path / "place", tmp_path / "home"
    place.mkdir()
    home.mkdir()
    with running(tmp_path / "data", tmp_path / "log") as server:
        environment = {
            n: v
            for n, v in client_environment(server.url, home).items()
            if n not in {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
        }
        # What a reader's server on the usual port is to `emberbox env`, this one is here.
        environment["EMBERBOX_ENDPOINT_URL"] = server.url

        def run(steps):
            script = "\n".join(f'{text}\necho "{_MARK} $?"' for text in steps)
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", script],
                cwd=place,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=110,
                check=False,
            )
            return re.findall(rf"(.*?){_MARK} (\d+)\n", done.stdout, re.DOTALL)

        yield run


@pytest.mark.parametrize("page", PAGES)
def test_page_shows_what_happens(shell, page):
    """Every tested command ends with status 0 and prints what the page shows."""
    steps, expected = [], []
    for kind, name, text in _BLOCK.findall((ROOT / page).read_text("utf-8")):
        if kind == "file":
            steps.append(
                f"mkdir -p \"$(dirname {name})\" && cat > {name} <<'END OF FILE'\n{text}END OF FILE"
            )
            expected.append(Command(f"(write {name})", ""))
            continue
        for command in commands(text):
            steps.append(command.text)
            expected.append(command)

    happened = shell(steps)

    assert len(happened) == len(expected)
    for command, (printed, status) in zip(expected, happened, strict=True):
        assert status == "0", f"{command.text}\n{printed}"
        if command.shown:
            assert pattern(command.shown).fullmatch(bare(printed)), (
                f"{command.text}\nprinted:\n{printed}\nbut the page shows:\n{command.shown}"
            )


def test_pages_have_tested_commands():
    """The marks have not been lost."""
    for page in PAGES:
        assert "<!-- tested" in (ROOT / page).read_text("utf-8")
