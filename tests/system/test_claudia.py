"""claudia creates, updates, runs and destroys a function.

It is made on version 2 of AWS's SDK for JavaScript, which knows no AWS_ENDPOINT_URL: a module that
is loaded before it tells it.
"""

import json
import os
import subprocess

import pytest
from tools_of_others import node_tool

# The first of them waits until the tool is installed.
pytestmark = pytest.mark.timeout(600)

SHIM = """
const AWS = require("{modules}/aws-sdk");
AWS.config.update({{ endpoint: process.env.AWS_ENDPOINT_URL }});
"""
CODE = 'exports.handler = async () => "{answer}";\n'
PACKAGE = {"name": "claudia-app", "version": "1.0.0", "private": True, "files": ["lambda.js"]}


@pytest.fixture
def claudia(aws_environment, tmp_path):
    """Runs claudia in an application's directory."""
    programs = node_tool("claudia@5.14.1", "aws-sdk@2.1692.0")
    (tmp_path / "shim.js").write_text(SHIM.format(modules=programs.parent))
    place = tmp_path / "app"
    place.mkdir()
    (place / "package.json").write_text(json.dumps(PACKAGE))
    environment = {
        **aws_environment,
        "HOME": str(tmp_path),
        "NODE_OPTIONS": f"-r {tmp_path}/shim.js",
        "PATH": f"{programs}{os.pathsep}{aws_environment['PATH']}",
    }

    def run(*words):
        done = subprocess.run(
            ["claudia", *words],
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_create_update_and_destroy(claudia, boto, tmp_path):
    """Each version runs behind its alias, and nothing is left at the end."""
    code = tmp_path / "app" / "lambda.js"
    code.write_text(CODE.format(answer="one"))
    claudia(
        *("create", "--region", "us-east-1", "--handler", "lambda.handler"),
        *("--runtime", "nodejs20.x", "--version", "dev"),
    )
    one = boto.invoke("claudia-app", b"{}", Qualifier="dev")
    code.write_text(CODE.format(answer="two"))
    claudia("update", "--version", "dev")
    two = boto.invoke("claudia-app", b"{}", Qualifier="dev")
    tested = claudia("test-lambda")
    claudia("destroy")
    left = {f["FunctionName"] for f in boto.call("lambda", "ListFunctions")["Functions"]}
    roles = {role["RoleName"] for role in boto.call("iam", "ListRoles")["Roles"]}

    assert (one.version, one.json()) == ("1", "one")
    assert (two.version, two.json()) == ("2", "two")
    assert "two" in tested
    assert "claudia-app" not in left
    assert "claudia-app-executor" not in roles
