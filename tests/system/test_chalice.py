"""chalice deploys, changes and deletes an application of pure Lambda functions."""

import json
import os
import subprocess

import pytest
from tools_of_others import python_tool

APP = """
from chalice import Chalice

app = Chalice(app_name="pure")


@app.lambda_function()
def first(event, context):
    return {{"first": event}}


@app.lambda_function(name="second")
def other(event, context):
    return "{answer}"
"""
CONFIG = {
    "version": "2.0",
    "app_name": "pure",
    "stages": {"dev": {"lambda_memory_size": 256, "lambda_timeout": 20}},
}


@pytest.fixture
def chalice(aws_environment, tmp_path):
    """Runs chalice in an application's directory."""
    programs = python_tool("chalice==1.34.0")
    environment = {
        **aws_environment,
        "HOME": str(tmp_path),
        "PATH": f"{programs}{os.pathsep}{aws_environment['PATH']}",
    }

    def run(*words):
        done = subprocess.run(
            ["chalice", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice" / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "requirements.txt").write_text("")
    return run


def test_deploy_redeploy_and_delete(chalice, boto, tmp_path):
    """The functions are there as configured, then with the new code, then gone with their role."""
    (tmp_path / "app.py").write_text(APP.format(answer="one"))

    deployed = chalice("deploy")
    shown = boto.call("lambda", "GetFunctionConfiguration", FunctionName="pure-dev-second")
    one = chalice("invoke", "-n", "second")
    first = boto.invoke("pure-dev-first", b'{"a": 1}').json()
    (tmp_path / "app.py").write_text(APP.format(answer="two"))
    chalice("deploy")
    two = chalice("invoke", "-n", "second")
    chalice("delete")
    left = {f["FunctionName"] for f in boto.call("lambda", "ListFunctions")["Functions"]}
    roles = {role["RoleName"] for role in boto.call("iam", "ListRoles")["Roles"]}

    assert "arn:aws:lambda:us-east-1:123456789012:function:pure-dev-first" in deployed
    assert (shown["MemorySize"], shown["Timeout"]) == (256, 20)
    assert (one.strip(), two.strip()) == ('"one"', '"two"')
    assert first == {"first": {"a": 1}}
    assert not {"pure-dev-first", "pure-dev-second"} & left
    assert "pure-dev" not in roles
