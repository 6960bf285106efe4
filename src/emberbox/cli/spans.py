"""`--otel` of `emberbox serve`: whether spans are exported, and whether that can be done."""

import importlib.util
from collections.abc import Callable
from typing import Any

import click

from emberbox.settings import OTLP_PROTOCOL, opentelemetry_is_off, otlp_protocol


def _checked(_context: click.Context, _parameter: click.Parameter, wanted: bool) -> bool:
    """Whether to export spans; who asks for it hears at once if that is not possible."""
    if not wanted or opentelemetry_is_off():
        return False
    if importlib.util.find_spec("opentelemetry") is None:
        raise click.UsageError("--otel needs an extra: pip install 'emberbox[otel]'")
    protocol = otlp_protocol()
    if protocol != OTLP_PROTOCOL:
        raise click.UsageError(
            f"--otel exports by {OTLP_PROTOCOL}, and OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}"
        )
    return True


spans_option: Callable[[Any], Any] = click.option(
    "--otel",
    is_flag=True,
    callback=_checked,
    help="Export spans of invocations by OTLP, as the OTEL_* variables say; needs the extra otel.",
)
