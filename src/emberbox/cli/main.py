"""The `emberbox` command: a group that imports a subcommand only when it is asked for.

A call that prints a version or a line of exports should cost little more than starting Python.
"""

from importlib import import_module

import click

from emberbox import __version__

# Name -> where its click command is, and the line that `emberbox --help` shows.
_COMMANDS = {
    "serve": ("emberbox.cli.serve:serve", "Run a server in the foreground."),
    "env": ("emberbox.cli.env:env", "Print what points AWS clients at a server."),
    "aws": ("emberbox.cli.aws:aws", "Run the aws command line against a server."),
    "why-denied": ("emberbox.cli.why_denied:why_denied", "Say why a request was denied."),
    "invoke": ("emberbox.cli.invoke:invoke", "Run a function and print what it returns."),
    "logs": ("emberbox.cli.logs:logs", "Show what functions write."),
    "ls": ("emberbox.cli.listing:ls", "List functions, one line each."),
    "show": ("emberbox.cli.listing:show", "Show a function and what it costs."),
    "cost": ("emberbox.cli.cost:cost", "Say what AWS would have charged."),
    "top": ("emberbox.cli.top:top", "Watch what runs, live."),
    "bench": ("emberbox.cli.bench:bench", "Measure a function under load."),
    "doctor": ("emberbox.cli.doctor:doctor", "Say what this host can isolate and limit."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(
        self,
        ctx: click.Context,
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), name)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}.{name} is no command")
        return command

    def format_commands(
        self,
        ctx: click.Context,
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog='First: `emberbox serve`, then in another shell: eval "$(emberbox env)"',
)
@click.version_option(__version__, message="emberbox %(version)s")
def main() -> None:
    """AWS Lambda on your own machine."""
