"""`emberbox why-denied`: what was decided about a request, by which statement of which policy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from emberbox.settings import default_data_dir


@click.command()
@click.argument("request_id")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="The data directory of the server. [default: the XDG data directory]",
)
def why_denied(request_id: str, data_dir: Path | None) -> None:
    """Say why a request was denied. REQUEST_ID stands in the answer, as x-amzn-RequestId."""
    from emberbox.telemetry.decisions import decisions_of

    place = data_dir or default_data_dir()
    try:
        found = list(decisions_of(place, request_id))
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
    if not found:
        raise click.ClickException(
            f"no decision about the request {request_id} is kept in {place}: denials are kept by "
            "servers with --auth enforced, what was allowed only with --log-decisions too"
        )
    click.echo("\n\n".join(map(_told, found)))


def _told(decision: Mapping[str, Any]) -> str:
    statement = decision["statement"] or "no statement matches"
    lines = [
        f"{decision['time']}  {decision['decision']}",
        f"  who       {decision['caller']}",
        f"  what      {decision['action']}",
        f"  on        {decision['resource']}",
        f"  by        {decision['by']}: {statement}",
    ]
    if decision["message"]:
        lines.append(f"  answered  {decision['message']}")
    return "\n".join(lines)
