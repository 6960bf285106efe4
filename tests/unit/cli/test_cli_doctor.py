"""`emberbox doctor`: findings, their fixes, and the exit status."""

import fcntl
import json
import os
import socket

import pytest
from click.testing import CliRunner

from emberbox.cli import doctor as doctor_module
from emberbox.cli.main import main
from emberbox.isolation.host import Finding, Level
from emberbox.runtimes.host import HostRuntimes
from emberbox.runtimes.interpreter import Interpreter


@pytest.fixture
def free_port():
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_json_has_every_finding_with_its_fix(tmp_path, free_port):
    """Machine output is a list of topic, level, found and fix, on stdout alone."""
    arguments = ["doctor", "--json", "--port", str(free_port), "--data-dir", str(tmp_path)]

    shown = CliRunner().invoke(main, arguments)

    findings = json.loads(shown.stdout)
    topics = [f["topic"] for f in findings]
    assert {
        "kernel",
        "namespaces",
        "Python",
        "Node.js",
        "Ruby",
        ".NET",
        "data",
        "port",
        "clock",
    } <= set(topics)
    assert all(set(f) == {"topic", "level", "found", "fix"} for f in findings)
    assert all(bool(f["fix"]) == (f["level"] != "ok") for f in findings)


def test_a_failure_ends_with_status_one(monkeypatch):
    """Only `fail` makes the command fail; its fix stands on the next line."""
    bad = Finding("kernel", Level.FAIL, "Linux 4.4", "use Linux 5.14 or later")
    monkeypatch.setattr(doctor_module, "examine", lambda port, data_dir: [bad])

    shown = CliRunner().invoke(main, ["doctor"])

    assert shown.exit_code == 1
    assert shown.output.splitlines() == [
        "fail  kernel  Linux 4.4",
        "              fix: use Linux 5.14 or later",
    ]


def test_a_warning_does_not_fail(monkeypatch):
    """A server would run, so the status is 0."""
    slow = Finding("swap", Level.WARN, "not counted", "swapoff -a")
    monkeypatch.setattr(doctor_module, "examine", lambda port, data_dir: [slow])

    assert CliRunner().invoke(main, ["doctor"]).exit_code == 0


def test_no_python_is_a_failure(monkeypatch, tmp_path):
    """Without an interpreter no function can run, in whatever language."""
    python = Interpreter("/usr/bin/python3.11", "/usr", (3, 11))
    monkeypatch.setattr("emberbox.runtimes.host.discover", lambda home: {})
    assert [f.level for f in doctor_module.runtimes(HostRuntimes(tmp_path, tmp_path))] == [
        Level.FAIL
    ]

    monkeypatch.setattr("emberbox.runtimes.host.discover", lambda home: {(3, 11): python})
    found = {f.topic: f for f in doctor_module.runtimes(HostRuntimes(tmp_path, tmp_path))}
    assert found["Python"].found.startswith("python3.11;")
    assert found[".NET"].level is Level.WARN
    assert "provided.al2023" in found[".NET"].fix


def test_port_held_by_another_is_named(monkeypatch):
    """A stranger on the port is a warning that names it; our own server is not."""
    monkeypatch.setattr("emberbox.cli.ports.who_listens", lambda port: "moto_server (process 7)")
    assert doctor_module.listening(4566).level is Level.WARN
    assert "moto_server (process 7)" in doctor_module.listening(4566).found

    monkeypatch.setattr("emberbox.cli.ports.who_listens", lambda port: "emberbox serve (process 7)")
    assert doctor_module.listening(4566).level is Level.OK


def test_unwritable_data_directory_is_a_failure(tmp_path):
    """A data directory below a file can never be made."""
    (tmp_path / "file").write_text("")

    findings = doctor_module.storage(tmp_path / "file" / "data")

    assert [f.level for f in findings] == [Level.FAIL]
    assert "--data-dir" in findings[0].fix


def test_missing_data_directory_is_not_made(tmp_path):
    """Looking leaves nothing behind."""
    findings = doctor_module.storage(tmp_path / "a" / "b")

    assert findings[0].level in {Level.OK, Level.WARN}
    assert not (tmp_path / "a").exists()


def test_server_on_the_data_directory_is_named(tmp_path):
    """A held lock means a running server, whose process id is in the file."""
    descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    os.write(descriptor, b"4711\n")
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    held = doctor_module.storage(tmp_path)[1]
    os.close(descriptor)
    released = doctor_module.storage(tmp_path)[1]

    assert held.found == "process 4711 uses this data directory"
    assert released.found == "none uses this data directory"


def test_clock_before_installation_is_suspicious():
    """Signatures and log times depend on the clock."""
    assert doctor_module.clock(now=100.0, installed=200.0).level is Level.WARN
    assert doctor_module.clock(now=300.0, installed=200.0).level is Level.OK
