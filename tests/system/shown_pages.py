"""Pages whose commands are run: what they show must be what happens.

On a page, `<!-- tested -->` stands before a block of commands and `<!-- file: NAME -->` before the
text of a file. `$ ` begins a command, the lines after it are its output, `…` stands for anything.
A command that shows no output may print what it likes. All commands of a page run in one shell.
"""

import re
import subprocess
from dataclasses import dataclass

from tools.running import client_environment

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


def shell_of(environment, place):
    """A function that runs commands in one shell: what each printed, and its status."""

    def run(steps):
        script = "\n".join(f'{text}\necho "{_MARK} $?"' for text in steps)
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", script],
            cwd=place,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=280,
            check=False,
        )
        return re.findall(rf"(.*?){_MARK} (\d+)\n", done.stdout, re.DOTALL)

    return run


def reader_environment(server, home):
    """The environment of a reader who has not yet said where the server is."""
    environment = {
        n: v
        for n, v in client_environment(server.url, home).items()
        if n not in {"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    }
    # What a reader's server on the usual port is to `emberbox env`, this one is here.
    return environment | {"EMBERBOX_ENDPOINT_URL": server.url}


def check_page(page, run):
    """Every tested command ends with status 0 and prints what the page shows."""
    steps, expected = [], []
    for kind, name, text in _BLOCK.findall(page.read_text("utf-8")):
        if kind == "file":
            steps.append(
                f"mkdir -p \"$(dirname {name})\" && cat > {name} <<'END OF FILE'\n{text}END OF FILE"
            )
            expected.append(Command(f"(write {name})", ""))
            continue
        for command in commands(text):
            steps.append(command.text)
            expected.append(command)

    happened = run(steps)

    assert len(happened) == len(expected)
    for command, (printed, status) in zip(expected, happened, strict=True):
        assert status == "0", f"{command.text}\n{printed}"
        if command.shown:
            assert pattern(command.shown).fullmatch(bare(printed)), (
                f"{command.text}\nprinted:\n{printed}\nbut the page shows:\n{command.shown}"
            )
