"""The walk-through that every newcomer follows, step by step, through both kinds of client."""

import base64
import hashlib
import io
import itertools
import json
import os
import re
import time
import urllib.request
import zipfile

import pytest
from hands import ApiError
from material import ROLE, await_rest, make_zip

from emberbox.clock import SystemClock

HELLO = """
    import json

    def lambda_handler(event, context):
        print("event:", json.dumps(event))
        return {"statusCode": 200, "body": json.dumps("Hello from Lambda!")}
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
REPORT = re.compile(
    rf"REPORT RequestId: (?P<id>{UUID})\tDuration: (?P<duration>[\d.]+) ms\t"
    r"Billed Duration: (?P<billed>\d+) ms\tMemory Size: (?P<size>\d+) MB\t"
    r"Max Memory Used: (?P<used>\d+) MB\t(?:Init Duration: (?P<init>[\d.]+) ms\t)?"
    r"(?:Status: (?P<status>\w+)\t)?(?:Error Type: (?P<type>[\w.]+)\t)?\n"
)
_numbers = itertools.count(1)


@pytest.fixture
def fresh_name():
    """A name no other test uses."""
    return f"walk{os.getpid()}-{next(_numbers)}"


# -- 1. who am I, and a role ----------------------------------------------------------------------


def test_caller_is_in_the_default_account(hands):
    """`get-caller-identity` answers with the account of the role ARNs people copy."""
    identity = hands.call("sts", "GetCallerIdentity")

    assert identity["Account"] == "123456789012"
    assert identity["Arn"].startswith("arn:aws:")


def test_role_is_made_and_given_its_policy(hands, fresh_name):
    """A role keeps its trust policy and what is attached to it."""
    role = hands.call(
        "iam", "CreateRole", RoleName=fresh_name, AssumeRolePolicyDocument=json.dumps(TRUST)
    )["Role"]
    hands.call("iam", "AttachRolePolicy", RoleName=fresh_name, PolicyArn=BASIC)

    attached = hands.call("iam", "ListAttachedRolePolicies", RoleName=fresh_name)
    found = hands.call("iam", "GetRole", RoleName=fresh_name)["Role"]

    assert role["Arn"] == f"arn:aws:iam::123456789012:role/{fresh_name}"
    assert attached["AttachedPolicies"] == [
        {"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": BASIC}
    ]
    assert found["AssumeRolePolicyDocument"] == TRUST


def test_trust_policy_may_come_from_a_file(cli, tmp_path, fresh_name):
    """The commands as people type them, with `file://`."""
    (tmp_path / "trust.json").write_text(json.dumps(TRUST))

    made = cli.run(
        *("iam", "create-role", "--role-name", fresh_name),
        *("--assume-role-policy-document", "file://trust.json"),
    )
    attached = cli.run(
        "iam", "attach-role-policy", "--role-name", fresh_name, "--policy-arn", BASIC
    )

    assert (made.returncode, attached.returncode) == (0, 0), made.stderr + attached.stderr
    assert json.loads(made.stdout)["Role"]["RoleName"] == fresh_name


# -- 2. create ------------------------------------------------------------------------------------


@pytest.mark.parametrize("runtime", ["python3.9", "python3.12"])
def test_creation_answers_as_aws_does(hands, fresh_name, runtime):
    """The answer has what was asked for and AWS's defaults, and the waiter returns at once."""
    package = make_zip(lambda_function=HELLO)

    made = hands.call(
        "lambda",
        "CreateFunction",
        FunctionName=fresh_name,
        Runtime=runtime,
        Role=ROLE,
        Handler="lambda_function.lambda_handler",
        Code={"ZipFile": package},
        Description="A simple Hello World Lambda function",
        Timeout=30,
        MemorySize=128,
    )
    began = time.perf_counter()
    hands.wait("lambda", "FunctionActiveV2", FunctionName=fresh_name)
    waited = time.perf_counter() - began
    answer = hands.invoke(fresh_name, b"{}")
    hands.call("lambda", "DeleteFunction", FunctionName=fresh_name)

    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{fresh_name}"
    assert made["FunctionArn"] == arn
    assert made["CodeSha256"] == base64.b64encode(hashlib.sha256(package).digest()).decode()
    assert made["CodeSize"] == len(package)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", made["LastModified"])
    assert re.fullmatch(UUID, made["RevisionId"])
    assert {
        "FunctionName": fresh_name,
        "Runtime": runtime,
        "Role": ROLE,
        "Handler": "lambda_function.lambda_handler",
        "Description": "A simple Hello World Lambda function",
        "Timeout": 30,
        "MemorySize": 128,
        "Version": "$LATEST",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "TracingConfig": {"Mode": "PassThrough"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{fresh_name}"},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
    }.items() <= made.items()
    assert made["State"] in {"Pending", "Active"}
    assert "Environment" not in made
    assert waited < 20
    assert answer.json() == {"statusCode": 200, "body": '"Hello from Lambda!"'}


def test_the_commands_of_the_tutorials_work_unchanged(cli, tmp_path):
    """The well-known text, to the letter: zip, create, invoke."""
    (tmp_path / "function.zip").write_bytes(make_zip(lambda_function=HELLO))

    made = cli.run(
        *("lambda", "create-function", "--function-name", "MyHelloWorldFunction"),
        *("--runtime", "python3.9", "--role", ROLE),
        *("--handler", "lambda_function.lambda_handler", "--zip-file", "fileb://function.zip"),
        *("--region", "us-east-1", "--description", "A simple Hello World Lambda function"),
        *("--timeout", "30", "--memory-size", "128"),
    )
    ran = cli.run("lambda", "invoke", "--function-name", "MyHelloWorldFunction", "out.json")
    cli.run("lambda", "delete-function", "--function-name", "MyHelloWorldFunction")

    assert made.returncode == 0, made.stderr
    assert json.loads(ran.stdout) == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    assert json.loads((tmp_path / "out.json").read_text())["statusCode"] == 200


# -- 3. invoke ------------------------------------------------------------------------------------


def test_tail_has_the_lines_of_the_invocation(hands, make_function):
    """START, what was printed, END and REPORT; Init Duration on the cold start only."""
    name = make_function(HELLO)

    cold = hands.invoke(name, b'{"name": "Ada"}', LogType="Tail")
    warm = hands.invoke(name, b'{"name": "Bob"}', LogType="Tail")

    assert (cold.status, cold.error, cold.version) == (200, None, "$LATEST")
    for answer, who in ((cold, "Ada"), (warm, "Bob")):
        lines = answer.log.splitlines()
        report = REPORT.search(answer.log)
        assert report is not None, answer.log
        request_id = report["id"]
        start = lines.index(f"START RequestId: {request_id} Version: $LATEST")
        assert lines[start + 1] == f'event: {{"name": "{who}"}}'
        assert lines[start + 2] == f"END RequestId: {request_id}"
        assert lines[start + 3].startswith(f"REPORT RequestId: {request_id}\t")
        assert report["size"] == "128"
        assert 1 <= int(report["used"]) <= 128
        init = float(report["init"] or 0)
        assert int(report["billed"]) >= float(report["duration"]) + init
        assert int(report["billed"]) <= float(report["duration"]) + init + 1.01
    assert REPORT.search(cold.log)["init"] is not None
    assert REPORT.search(warm.log)["init"] is None


def test_tail_is_the_last_four_kilobytes(hands, make_function):
    """A function that prints much leaves only the end of it in the answer."""
    name = make_function(
        "def lambda_handler(event, context):\n    print('x' * 100 + '\\n', end='')\n"
        "    for n in range(200): print(n, 'y' * 60)\n"
    )

    answer = hands.invoke(name, b"{}", LogType="Tail")

    assert len(answer.log.encode()) == 4096
    assert "199 yyy" in answer.log
    assert "START" not in answer.log
    assert REPORT.search(answer.log)


def test_request_id_is_the_same_everywhere(boto, make_function):
    """The id in the answer's header, in the context and in the log is one."""
    name = make_function("def lambda_handler(event, context):\n    return context.aws_request_id\n")

    answer = boto.invoke(name, LogType="Tail")

    assert answer.json() == answer.request_id
    assert REPORT.search(answer.log)["id"] == answer.request_id


def test_dry_run_runs_nothing(hands, make_function):
    """204 and no payload; the function has not been called."""
    name = make_function("def lambda_handler(event, context):\n    return 1\n")

    dry = hands.invoke(name, b"{}", InvocationType="DryRun")
    first = hands.invoke(name, b"{}", LogType="Tail")

    assert (dry.status, dry.payload) == (204, b"")
    assert REPORT.search(first.log)["init"] is not None


def test_no_payload_is_an_empty_event(hands, make_function):
    """Without a payload the event is an empty object; without a result the payload is null."""
    echo = make_function("def lambda_handler(event, context):\n    return event\n")
    nothing = make_function("def lambda_handler(event, context):\n    pass\n")

    assert hands.invoke(echo).payload == b"{}"
    assert hands.invoke(nothing).payload == b"null"


def test_exception_of_the_handler(hands, make_function):
    """Type, message, frames of the function only; the environment lives on."""
    name = make_function(
        """
        calls = []

        def lambda_handler(event, context):
            calls.append(1)
            if event.get("fail"):
                inner(event)
            return len(calls)

        def inner(event):
            raise KeyError("täg")
        """
    )

    failed = hands.invoke(name, b'{"fail": true}', LogType="Tail")
    after = hands.invoke(name, b"{}", LogType="Tail")

    body = failed.json()
    assert (failed.status, failed.error) == (200, "Unhandled")
    assert body["errorType"] == "KeyError"
    assert body["errorMessage"] == "'täg'"
    assert body["requestId"] == REPORT.search(failed.log)["id"]
    assert [
        re.match(r'  File "/var/task/lambda_function.py", line \d+, in (\w+)', f)[1]
        for f in body["stackTrace"]
    ] == ["lambda_handler", "inner"]
    assert "[ERROR] KeyError: 'täg'\nTraceback (most recent call last):\n" in failed.log
    assert after.payload == b"2"
    assert REPORT.search(after.log)["init"] is None


def test_time_out(hands, make_function, server):
    """The limit holds to the millisecond, the whole environment is reset, /tmp stays."""
    name = make_function(
        """
        import os, time
        seen = os.path.exists("/tmp/mark")

        def lambda_handler(event, context):
            if event.get("slow"):
                open("/tmp/mark", "w").close()
                time.sleep(30)
            return seen
        """,
        Timeout=2,
    )

    hands.invoke(name, b"{}")
    failed = hands.invoke(name, b'{"slow": true}', LogType="Tail")
    # While it is reset another environment would answer.
    await_rest(server.url, name)
    after = hands.invoke(name, b"{}", LogType="Tail")

    report = REPORT.search(failed.log)
    assert (failed.status, failed.error) == (200, "Unhandled")
    assert failed.json() == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {report['id']} Error: Task timed out after 2.00 seconds",
    }
    assert re.search(
        rf"^\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z {report['id']} "
        r"Task timed out after 2\.00 seconds$",
        failed.log,
        re.MULTILINE,
    )
    assert (report["duration"], report["status"]) == ("2000.00", "timeout")
    assert after.payload == b"true"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (0, "Runtime exited without providing a reason"),
        (7, "Runtime exited with error: exit status 7"),
    ],
)
def test_exit_of_the_runtime(hands, make_function, status, reason):
    """A process that ends before it answers is a Runtime.ExitError with its status."""
    name = make_function(
        """
        import os

        def lambda_handler(event, context):
            if "status" in event:
                os._exit(event["status"])
            return "alive"
        """
    )

    failed = hands.invoke(name, json.dumps({"status": status}).encode(), LogType="Tail")
    after = hands.invoke(name, b"{}")

    report = REPORT.search(failed.log)
    text = f"RequestId: {report['id']} Error: {reason}"
    assert failed.error == "Unhandled"
    assert failed.json() == {"errorType": "Runtime.ExitError", "errorMessage": text}
    assert text in failed.log.splitlines()
    assert "Runtime.ExitError" in failed.log.splitlines()
    assert (report["status"], report["type"]) == ("error", "Runtime.ExitError")
    assert after.json() == "alive"


def test_too_much_memory(hands, make_function):
    """The kernel ends it at the limit, and the report says of what it died."""
    name = make_function(
        "def lambda_handler(event, context):\n    return len(bytearray(event['mb'] << 20))\n"
    )

    failed = hands.invoke(name, b'{"mb": 300}', LogType="Tail")
    after = hands.invoke(name, b'{"mb": 1}')

    report = REPORT.search(failed.log)
    assert failed.error == "Unhandled"
    assert failed.json() == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {report['id']} Error: Runtime exited with error: "
        "signal: killed",
    }
    assert report["type"] == "Runtime.OutOfMemory"
    assert report["used"] == report["size"] == "128"
    assert after.payload == b"1048576"


UNLOADABLE = [
    (
        "import a_module_that_is_not_there\n",
        "lambda_function.lambda_handler",
        "Runtime.ImportModuleError",
        "Unable to import module 'lambda_function': No module named 'a_module_that_is_not_there'",
    ),
    (
        "def other(event, context): pass\n",
        "lambda_function.lambda_handler",
        "Runtime.HandlerNotFound",
        "Handler 'lambda_handler' missing on module 'lambda_function'",
    ),
    (
        "def lambda_handler(event, context):\n    return (\n",
        "lambda_function.lambda_handler",
        "Runtime.UserCodeSyntaxError",
        "Syntax error in module 'lambda_function': '(' was never closed "
        "(lambda_function.py, line 2)",
    ),
    (
        "def lambda_handler(event, context): pass\n",
        "lambda_handler",
        "Runtime.MalformedHandlerName",
        "Bad handler 'lambda_handler': not enough values to unpack (expected 2, got 1)",
    ),
]


@pytest.mark.parametrize(
    ("source", "handler", "kind", "message"), UNLOADABLE, ids=[case[2] for case in UNLOADABLE]
)
def test_code_that_cannot_be_loaded(hands, make_function, source, handler, kind, message):
    """The reason goes to the caller and the log; there was no request yet, so its id is empty."""
    name = make_function(source, Handler=handler)

    failed = hands.invoke(name, b"{}", LogType="Tail")

    body = failed.json()
    assert failed.error == "Unhandled"
    assert (body["errorType"], body["errorMessage"]) == (kind, message)
    assert body["requestId"] == ""
    assert f"[ERROR] {kind}: {message}" in failed.log
    assert REPORT.search(failed.log)["init"] is None


def test_result_that_is_not_json(hands, make_function):
    """What json cannot write is a Runtime.MarshalError."""
    name = make_function("def lambda_handler(event, context):\n    return {1, 2}\n")

    failed = hands.invoke(name, b"{}", LogType="Tail")

    assert failed.error == "Unhandled"
    assert failed.json() == {
        "errorMessage": "Unable to marshal response: Object of type set is not JSON serializable",
        "errorType": "Runtime.MarshalError",
        "requestId": REPORT.search(failed.log)["id"],
        "stackTrace": [],
    }


def test_result_that_is_too_large(hands, make_function):
    """A synchronous answer carries 6 MB and a little; more is an error of the function."""
    name = make_function("def lambda_handler(event, context):\n    return 'x' * event['n']\n")

    fits = hands.invoke(name, json.dumps({"n": 6_291_554}).encode())
    failed = hands.invoke(name, json.dumps({"n": 6_291_555}).encode())

    assert (fits.error, len(fits.payload)) == (None, 6_291_556)
    assert failed.error == "Unhandled"
    assert failed.json() == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }


def test_payload_that_is_not_json(hands, make_function):
    """The function is not called; the caller is told."""
    name = make_function(HELLO)

    with pytest.raises(ApiError) as refused:
        hands.invoke(name, b"{oops")

    assert refused.value.code == "InvalidRequestContentException"
    assert refused.value.message.startswith("Could not parse request body into json: ")


# -- 4. look at it, change it, delete it ----------------------------------------------------------


def test_code_can_be_downloaded(hands, make_function):
    """`Code.Location` is a URL of this server that gives the very zip."""
    name = make_function(HELLO)

    found = hands.call("lambda", "GetFunction", FunctionName=name)
    with urllib.request.urlopen(found["Code"]["Location"], timeout=10) as response:
        package = response.read()

    assert found["Code"]["RepositoryType"] == "S3"
    sha = base64.b64encode(hashlib.sha256(package).digest()).decode()
    assert found["Configuration"]["CodeSha256"] == sha
    assert found["Configuration"]["State"] == "Active"
    assert found["Configuration"]["LastUpdateStatus"] == "Successful"
    assert "StateReason" not in found["Configuration"]
    assert zipfile.ZipFile(io.BytesIO(package)).namelist() == ["lambda_function.py"]


def test_configuration_and_list_agree(hands, make_function):
    """`get-function-configuration` and `list-functions` show the same function."""
    name = make_function(HELLO, Environment={"Variables": {"COLOUR": "blue"}})

    found = hands.call("lambda", "GetFunctionConfiguration", FunctionName=name)
    listed = hands.call("lambda", "ListFunctions")["Functions"]

    (mine,) = [f for f in listed if f["FunctionName"] == name]
    assert found["Environment"] == {"Variables": {"COLOUR": "blue"}}
    assert mine["RevisionId"] == found["RevisionId"]
    assert "State" not in mine


def test_new_code_answers(hands, make_function):
    """After `update-function-code` and its waiter the next answer is the new code's."""
    name = make_function("def lambda_handler(event, context):\n    return 'old'\n")
    before = hands.call("lambda", "GetFunctionConfiguration", FunctionName=name)
    assert hands.invoke(name).json() == "old"

    changed = hands.call(
        "lambda",
        "UpdateFunctionCode",
        FunctionName=name,
        ZipFile=make_zip(lambda_function="def lambda_handler(event, context):\n    return 'new'\n"),
    )
    hands.wait("lambda", "FunctionUpdatedV2", FunctionName=name)

    assert hands.invoke(name).json() == "new"
    assert changed["CodeSha256"] != before["CodeSha256"]
    assert changed["RevisionId"] != before["RevisionId"]


def test_new_configuration_is_in_force(hands, make_function):
    """Environment, memory and time of new environments are the changed ones; the rest stays."""
    name = make_function(
        """
        import os

        def lambda_handler(event, context):
            return [os.environ.get("COLOUR"), context.memory_limit_in_mb]
        """,
        Description="kept",
    )
    assert hands.invoke(name).json() == [None, "128"]

    hands.call(
        "lambda",
        "UpdateFunctionConfiguration",
        FunctionName=name,
        Environment={"Variables": {"COLOUR": "green"}},
        MemorySize=256,
        Timeout=7,
    )
    hands.wait("lambda", "FunctionUpdatedV2", FunctionName=name)
    found = hands.call("lambda", "GetFunctionConfiguration", FunctionName=name)

    assert hands.invoke(name).json() == ["green", "256"]
    assert (found["Timeout"], found["MemorySize"], found["Description"]) == (7, 256, "kept")


def test_deleted_function_is_gone(hands, make_function):
    """Nothing answers for it any more; its log group stays."""
    name = make_function(HELLO)
    hands.invoke(name)

    hands.call("lambda", "DeleteFunction", FunctionName=name)

    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    with pytest.raises(ApiError) as refused:
        hands.call("lambda", "GetFunction", FunctionName=name)
    assert refused.value.code == "ResourceNotFoundException"
    assert refused.value.message == f"Function not found: {arn}"
    with pytest.raises(ApiError) as refused:
        hands.invoke(name)
    assert refused.value.code == "ResourceNotFoundException"


def damaged_zip():
    """A zip whose only entry does not have the checksum it claims."""
    package = bytearray(make_zip(lambda_function=HELLO))
    package[package.index(b"lambda_function.py") + len("lambda_function.py") + 5] ^= 0xFF
    return bytes(package)


def refusals():
    """Requests that cannot be served: parameters, AWS's code and message."""
    arn = "arn:aws:lambda:us-east-1:123456789012:function"
    create = {
        "FunctionName": "refused",
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "lambda_function.lambda_handler",
        "Code": {"ZipFile": make_zip(lambda_function=HELLO)},
    }
    return {
        "no such function": (
            "GetFunctionConfiguration",
            {"FunctionName": "nobody"},
            "ResourceNotFoundException",
            f"Function not found: {arn}:nobody",
        ),
        "no such function to delete": (
            "DeleteFunction",
            {"FunctionName": "nobody"},
            "ResourceNotFoundException",
            f"Function not found: {arn}:nobody",
        ),
        "not a zip": (
            "CreateFunction",
            {**create, "Code": {"ZipFile": damaged_zip()}},
            "InvalidParameterValueException",
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
        "retired runtime": (
            "CreateFunction",
            {**create, "Runtime": "python3.6"},
            "InvalidParameterValueException",
            "The runtime parameter of python3.6 is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use the new runtime (python3.14) while "
            "creating or updating functions.",
        ),
    }


@pytest.mark.parametrize("case", refusals())
def test_refusals_have_the_code_and_message_of_aws(hands, case):
    """What cannot be served is refused in AWS's words."""
    operation, parameters, code, message = refusals()[case]

    with pytest.raises(ApiError) as refused:
        hands.call("lambda", operation, **parameters)

    assert (refused.value.code, refused.value.message) == (code, message)


def test_name_that_is_taken_is_refused(hands, make_function):
    """A second function of the same name is a conflict."""
    name = make_function(HELLO)

    with pytest.raises(ApiError) as refused:
        hands.call(
            "lambda",
            "CreateFunction",
            FunctionName=name,
            Runtime="python3.12",
            Role=ROLE,
            Handler="lambda_function.lambda_handler",
            Code={"ZipFile": make_zip(lambda_function=HELLO)},
        )

    assert refused.value.code == "ResourceConflictException"
    assert refused.value.message == f"Function already exist: {name}"


# -- 5. logs --------------------------------------------------------------------------------------


def test_logs_show_what_was_printed(hands, make_function):
    """One stream per environment, each line an event with the time it was written."""
    name = make_function(HELLO)
    group = f"/aws/lambda/{name}"
    began_ms = int(SystemClock().now() * 1000)
    # An answer with its log comes when all has been written.
    hands.invoke(name, b'{"n": 1}', LogType="Tail")
    hands.invoke(name, b'{"n": 2}', LogType="Tail")
    ended_ms = int(SystemClock().now() * 1000)

    groups = hands.call("logs", "DescribeLogGroups", logGroupNamePrefix=group)["logGroups"]
    (stream,) = hands.call("logs", "DescribeLogStreams", logGroupName=group)["logStreams"]
    events = hands.call(
        "logs",
        "GetLogEvents",
        logGroupName=group,
        logStreamName=stream["logStreamName"],
        startFromHead=True,
    )["events"]
    found = hands.call("logs", "FilterLogEvents", logGroupName=group, filterPattern='"event:"')[
        "events"
    ]

    assert [g["logGroupName"] for g in groups] == [group]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream["logStreamName"])
    heads = [event["message"].split(" ", 1)[0] for event in events]
    assert (
        heads
        == ["INIT_START", "START", "event:", "END", "REPORT", "START", "event:", "END", "REPORT"]
        or heads[1] == "EMBERBOX"
    )
    assert [event["message"].rstrip("\n") for event in found] == [
        'event: {"n": 1}',
        'event: {"n": 2}',
    ]
    times = [event["timestamp"] for event in events]
    assert times == sorted(times)
    assert all(began_ms - 1 <= t <= ended_ms + 1 for t in times)


def test_two_environments_have_two_streams(hands, boto, make_function):
    """Invocations at the same time run in environments, and log to streams, of their own."""
    from concurrent.futures import ThreadPoolExecutor

    name = make_function(
        "import time\ndef lambda_handler(event, context):\n    time.sleep(event)\n"
        "    return context.log_stream_name\n",
        Timeout=20,
    )

    names = set()
    # On a busy machine the first may be free again before the second is made.
    for seconds in (b"0.5", b"3", b"10"):
        with ThreadPoolExecutor(2) as threads:
            both = [threads.submit(boto.invoke, name, seconds) for _ in range(2)]
        names = {done.result().json() for done in both}
        if len(names) == 2:
            break

    listed = hands.call("logs", "DescribeLogStreams", logGroupName=f"/aws/lambda/{name}")
    assert len(names) == 2
    assert {s["logStreamName"] for s in listed["logStreams"]} == names


def test_retention_and_deletion_of_a_group(hands, make_function):
    """A group keeps its retention, and is gone when deleted; the function goes on."""
    name = make_function(HELLO)
    group = f"/aws/lambda/{name}"
    hands.invoke(name)

    hands.call("logs", "PutRetentionPolicy", logGroupName=group, retentionInDays=7)
    (found,) = hands.call("logs", "DescribeLogGroups", logGroupNamePrefix=group)["logGroups"]
    hands.call("logs", "DeleteLogGroup", logGroupName=group)
    after = hands.call("logs", "DescribeLogGroups", logGroupNamePrefix=group)["logGroups"]

    assert found["retentionInDays"] == 7
    assert after == []
    assert hands.invoke(name).error is None
