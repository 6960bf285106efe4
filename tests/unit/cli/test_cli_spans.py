"""`serve --otel`: what it refuses, and that nothing of it is loaded without it."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from emberbox.cli.spans import spans_option


@click.command()
@spans_option
def shown(otel):
    """Says what it was told."""
    click.echo(f"otel={otel}")


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    names = ("SDK_DISABLED", "TRACES_EXPORTER", "EXPORTER_OTLP_PROTOCOL")
    for name in (*names, "EXPORTER_OTLP_TRACES_PROTOCOL"):
        monkeypatch.delenv(f"OTEL_{name}", raising=False)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("OTEL_BSP_SCHEDULE_DELAY", "50", "otel=True"),
        ("OTEL_SDK_DISABLED", "TRUE", "otel=False"),
        ("OTEL_TRACES_EXPORTER", "none", "otel=False"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "otel=True"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL is grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "is http/json"),
    ],
)
def test_the_standard_variables_count(monkeypatch, variable, value, said):
    """They can switch it off; a protocol that is not spoken is refused, and not ignored."""
    monkeypatch.setenv(variable, value)
    assert said in CliRunner().invoke(shown, ["--otel"]).output


def test_without_the_extra_it_is_said_how_to_get_it(monkeypatch):
    """At once, and not with the first span."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert "pip install 'emberbox[otel]'" in CliRunner().invoke(shown, ["--otel"]).output


def test_a_server_without_it_loads_nothing_of_it():
    """The whole server is there, and OpenTelemetry is not."""
    code = (
        "import sys, emberbox.app\n"
        "print([each for each in ('opentelemetry', 'google.protobuf', 'requests')"
        " if each in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert printed.stdout == "[]\n"
