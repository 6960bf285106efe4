"""Options of `emberbox serve` that name services which are elsewhere: one a service."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar
from urllib.parse import urlsplit

import click

F = TypeVar("F", bound=Callable[..., object])

_USES: Final = {
    "sqs": "Poll queues and send to queues there, at AWS or another server, and not here.",
    "sns": "Publish what is told of asynchronous invocations to topics there, and not here.",
    "s3": "Read code from buckets there, and write failure records and exported logs to them.",
    "events": "Put what is told of asynchronous invocations, and of schedules, on buses there.",
}
_SUFFIX: Final = "_endpoint"


def service_endpoints(command: F) -> F:
    """Adds the options; the command gets them as `<service>_endpoint`."""
    for service, use in reversed(_USES.items()):
        add = click.option(f"--{service}-endpoint", metavar="URL", callback=_checked, help=use)
        command = add(command)
    return command


def given_endpoints(options: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
    """(service, URL) of the options that were given."""
    return tuple((name.removesuffix(_SUFFIX), url) for name, url in options.items() if url)


def _checked(_context: object, _option: object, url: str | None) -> str | None:
    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.BadParameter(
            "an http or https URL, such as https://sqs.eu-west-1.amazonaws.com"
        )
    return url.rstrip("/")
