"""AWS's own runtime client for Python works unchanged in the place of ours."""

import importlib.util
import io
import json
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
from material import ROLE

PACKAGES = ("awslambdaric", "simplejson", "snapshot_restore_py", "runtime_client")
WRAPPER = "#!/bin/sh\nexec /var/lang/bin/python3 -m awslambdaric $_HANDLER\n"
HANDLER = """
    import logging, sys
    log = logging.getLogger()
    log.setLevel("INFO")
    def handler(event, context):
        print("printed")
        log.info("two\\nlines")
        if event.get("fail"):
            raise ValueError("on purpose")
        if event.get("exit"):
            sys.exit(3)
        return {
            "client": "awslambdaric" in sys.modules,
            "event": event,
            "remaining": context.get_remaining_time_in_millis(),
            "arn": context.invoked_function_arn,
        }
"""


def package():
    """A zip with AWS's client, a wrapper that starts it, and a handler."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in PACKAGES:
            spec = importlib.util.find_spec(name)
            assert spec is not None, f"{name} is not installed"
            place = Path(spec.origin)
            if place.name != "__init__.py":
                archive.write(place, place.name)
                continue
            for file in place.parent.rglob("*"):
                if file.is_file() and "__pycache__" not in file.parts:
                    archive.write(file, str(file.relative_to(place.parent.parent)))
        add(archive, "wrapper", WRAPPER, 0o755)
        add(archive, "f.py", textwrap.dedent(HANDLER), 0o644)
    return out.getvalue()


def add(archive, name, text, mode):
    entry = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
    entry.external_attr = mode << 16
    archive.writestr(entry, text)


@pytest.fixture(scope="module")
def function(boto):
    """A function that runs on AWS's client."""
    name = "aws-runtime-client"
    boto.call(
        "lambda",
        "CreateFunction",
        FunctionName=name,
        Runtime=f"python{sys.version_info[0]}.{sys.version_info[1]}",
        Role=ROLE,
        Handler="f.handler",
        MemorySize=512,
        Timeout=20,
        Code={"ZipFile": package()},
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}},
    )
    yield name
    boto.call("lambda", "DeleteFunction", FunctionName=name)


def test_it_serves_one_invocation_after_another(boto, function):
    """Events, context and results pass; the process is reused."""
    answers = [boto.invoke(function, json.dumps({"n": n}).encode()).json() for n in range(3)]

    assert [a["event"] for a in answers] == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert all(a["client"] for a in answers)
    assert all(0 < a["remaining"] <= 20_000 for a in answers)
    assert answers[0]["arn"].endswith(f":function:{function}")


def test_its_log_records_are_whole(boto, function):
    """Its framed records and printed lines arrive in order, each once."""
    log = boto.invoke(function, b"{}", LogType="Tail").log

    assert log.index("printed") < log.index("two\nlines") < log.index("END RequestId")


def test_its_failures_are_reported(boto, function):
    """An exception comes back with AWS's payload, and the next invocation works."""
    failed = boto.invoke(function, b'{"fail": true}')

    assert failed.error == "Unhandled"
    assert failed.json()["errorType"] == "ValueError"
    assert boto.invoke(function, b"{}").error is None


def test_its_exit_is_noticed(boto, function):
    """A process that ends itself is reported, and a new one is started."""
    failed = boto.invoke(function, b'{"exit": true}')

    assert failed.json()["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in failed.json()["errorMessage"]
    assert boto.invoke(function, b"{}").error is None
