"""AWS's own runtime clients for Node.js and Java run unchanged in the place of ours.

The one for Python has a test of its own, in tests/system/test_runtime_client.py.
"""

import json

import pytest
from builds import java_client, node_client, or_skip
from languages import java
from test_java import CASES

NODE_WRAPPER = """#!/bin/sh
exec /var/lang/bin/node /var/task/node_modules/aws-lambda-ric/bin/index.mjs "$_HANDLER"
"""
NODE_HANDLER = """
exports.handler = async (event, context) => {
  console.log('two\\nlines');
  if (event.fail) throw new RangeError('on purpose');
  if (event.exit) process.exit(3);
  const trace = Object.keys(require.cache).length;
  return { event, remaining: context.getRemainingTimeInMillis(), arn: context.invokedFunctionArn };
};
"""
JAVA_WRAPPER = """#!/bin/sh
exec /var/lang/bin/java -XX:+UseSerialGC -cp "/var/task/lib/*" \\
    com.amazonaws.services.lambda.runtime.api.client.AWSLambda "$_HANDLER"
"""
WRAPPED = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}}


@pytest.fixture(scope="module")
def node_function(functions):
    """A function on AWS's client for Node.js."""
    place = or_skip(node_client)
    files = {"f.js": NODE_HANDLER, "wrapper": NODE_WRAPPER}
    for part in ("bin", "dist"):
        for file in (place / "aws-lambda-ric" / part).iterdir():
            files[f"node_modules/aws-lambda-ric/{part}/{file.name}"] = file.read_bytes()
    return functions("node-ric", "nodejs20.x", "f.handler", files, Environment=WRAPPED)


@pytest.fixture(scope="module")
def java_package():
    """A package with AWS's client for Java, and the handlers of all shapes."""
    jars = {f"lib/{jar.name}": jar.read_bytes() for jar in or_skip(java_client).glob("*.jar")}
    return {**java("Shapes.java")(), **jars, "wrapper": JAVA_WRAPPER}


def test_the_client_for_nodejs_serves(boto, node_function):
    """Events, context, results, log records, failures and exits, one after another."""
    answer = boto.invoke(node_function, b'{"n": 1}', LogType="Tail")
    failed = boto.invoke(node_function, b'{"fail": true}')
    exited = boto.invoke(node_function, b'{"exit": true}')

    assert answer.json()["event"] == {"n": 1}
    assert 0 < answer.json()["remaining"] <= 20_000
    assert answer.json()["arn"].endswith(f":function:{node_function}")
    assert "INFO\ttwo\nlines\nEND" in answer.log
    assert failed.json()["errorType"] == "RangeError"
    assert exited.json()["errorMessage"].endswith("exit status 3")
    assert boto.invoke(node_function, b"{}").error is None


@pytest.mark.parametrize(
    ("method", "event", "result"),
    [case for case in CASES if case[0] in {"text", "order", "odd", "bytes"}],
)
def test_the_client_for_java_serves(boto, functions, java_package, method, event, result):
    """The handlers that run on our runtime give the same on AWS's."""
    handler = f"example.Shapes::{method}"
    name = functions(
        ("java-ric", method), "java17", handler, java_package, MemorySize=1024, Environment=WRAPPED
    )

    assert boto.invoke(name, json.dumps(event).encode()).json() == result
