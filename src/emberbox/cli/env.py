"""`emberbox env`: what to put into a shell so that AWS clients speak to a server here."""

import shlex
from collections.abc import Callable

import click

from emberbox.cli.endpoint import Endpoint, handed_on, options
from emberbox.cli.proving import prove


def _fish(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _pwsh(value: str) -> str:
    doubled = value.replace("'", "''")
    return f"'{doubled}'"


# Shell -> how it sets a variable, and how it forgets one.
_SHELLS: dict[str, tuple[Callable[[str, str], str], Callable[[str], str]]] = {
    "bash": (lambda n, v: f"export {n}={shlex.quote(v)}", lambda n: f"unset {n}"),
    "fish": (lambda n, v: f"set -gx {n} {_fish(v)}", lambda n: f"set -e {n}"),
    "pwsh": (
        lambda n, v: f"$env:{n} = {_pwsh(v)}",
        lambda n: f"Remove-Item Env:{n} -ErrorAction SilentlyContinue",
    ),
}


def lines(endpoint: Endpoint, shell: str) -> list[str]:
    """The commands for one shell, ready to be evaluated by it."""
    put, drop = _SHELLS[shell]
    return [put(name, value) for name, value in endpoint.variables().items()] + [
        drop(name) for name in endpoint.cleared()
    ]


@click.command(epilog='Use it so: eval "$(emberbox env)"')
@click.option(
    "--shell",
    type=click.Choice(list(_SHELLS)),
    default="bash",
    show_default=True,
    help="Whose words to use; zsh and sh understand those of bash.",
)
@options
def env(
    shell: str, endpoint_url: str, region: str, account: str | None, profile: str | None
) -> None:
    """Print what points AWS clients at a server."""
    endpoint = handed_on(endpoint_url, region, account, profile)
    prove(endpoint)
    for line in lines(endpoint, shell):
        click.echo(line)
