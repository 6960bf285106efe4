"""Programs of the customer's own on the OS-only runtimes: Rust on AWS's library, and shell.

And what is said of a managed runtime that cannot be had.
"""

import json

import pytest
from builds import or_skip
from hands import ApiError

from tools.building import rust_function

SHELL = r"""#!/bin/bash
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
while true; do
    event=$(curl -sS -D /tmp/headers "$api/invocation/next")
    id=$(tr -d '\r' < /tmp/headers | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //Ip')
    if [ "$event" = '"fail"' ]; then
        curl -sS "$api/invocation/$id/error" -H 'Lambda-Runtime-Function-Error-Type: Shell.Failed' \
            -d '{"errorMessage": "on purpose", "errorType": "Shell.Failed"}' > /tmp/answer
    elif [ "$event" = '"signals"' ]; then
        ignored=$(grep SigIgn /proc/self/status | cut -f2)
        curl -sS "$api/invocation/$id/response" -d "\"$ignored\"" > /tmp/answer
    else
        curl -sS "$api/invocation/$id/response" -d "[$event, \"$_HANDLER\"]" > /tmp/answer
    fi
done
"""


@pytest.mark.parametrize("runtime", ["provided.al2", "provided.al2023"])
def test_a_shell_script_is_a_runtime(boto, functions, runtime):
    """bash and curl suffice: events, results, failures, one process for all."""
    name = functions(("shell", runtime), runtime, "any.words", {"bootstrap": SHELL})

    assert boto.invoke(name, b'{"a": 1}').json() == [{"a": 1}, "any.words"]
    failed = boto.invoke(name, b'"fail"')
    assert (failed.error, failed.json()["errorType"]) == ("Unhandled", "Shell.Failed")
    assert boto.invoke(name, b"7").json() == [7, "any.words"]


def test_a_program_begins_with_signals_as_usual(boto, functions):
    """None is ignored: a pipe that breaks ends its writer."""
    name = functions(
        ("shell", "provided.al2023"), "provided.al2023", "any.words", {"bootstrap": SHELL}
    )

    ignored = int(boto.invoke(name, b'"signals"').json(), 16)

    # The first two real-time signals are the C library's own.
    assert ignored & ~(0b11 << 31) == 0


def test_a_rust_function_runs(boto, functions):
    """lambda_runtime, as cargo builds it: event, context, output, failure."""
    program = or_skip(rust_function)
    name = functions("rust", "provided.al2023", "unused", {"bootstrap": program.read_bytes()})

    answer = boto.invoke(name, b'{"n": 1}', LogType="Tail")
    told = answer.json()
    failed = boto.invoke(name, json.dumps({"do": "fail"}).encode())

    assert told["event"] == {"n": 1}
    assert (told["id"], told["memory"]) == (answer.request_id, 512)
    assert told["arn"].endswith(f":function:{name}")
    assert "printed\nEND" in answer.log
    assert (failed.error, failed.json()["errorMessage"]) == ("Unhandled", "on purpose")


@pytest.mark.parametrize("runtime", ["dotnet8", "dotnet10"])
def test_a_language_without_a_runtime_says_what_to_do(boto, functions, runtime):
    """The function can be created and read; its invocation names what is missing and the way."""
    name = functions(runtime, runtime, "App::App.Function::Handle", {"App.dll": "no program"})

    with pytest.raises(ApiError, match=r"^InvalidRuntimeException: ") as refused:
        boto.invoke(name, b"{}")

    found = boto.call("lambda", "GetFunctionConfiguration", FunctionName=name)
    assert found["Runtime"] == runtime
    assert f"{runtime} needs .NET" in refused.value.message
    assert "provided.al2023" in refused.value.message
