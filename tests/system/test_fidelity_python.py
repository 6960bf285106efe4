"""What a Python function sees and says, where it is easy to be only nearly like AWS.

The expectations are the behaviour of AWS's own runtime client and of recorded log events.
"""

import json
import re

import pytest
from hands import ApiError
from material import make_zip

from tools.running import start

RESULTS = """
    import decimal

    RESULTS = {
        "decimal": {"price": decimal.Decimal("1.50"), "rest": [decimal.Decimal("1E+5")]},
        "not a number": decimal.Decimal("NaN"),
        "bytes inside": {"body": "é".encode()},
        "text": "é☃",
    }

    def lambda_handler(event, context):
        return RESULTS[event]
"""


def messages(boto, name):
    """All that a function has logged, in order, as it is."""
    found = boto.call("logs", "FilterLogEvents", logGroupName=f"/aws/lambda/{name}")
    return [event["message"] for event in found["events"]]


@pytest.mark.parametrize(
    ("which", "payload"),
    [
        ("decimal", b'{"price": 1.50, "rest": [1E+5]}'),
        ("not a number", b"NaN"),
        ("bytes inside", '{"body": "é"}'.encode()),
        ("text", '"é☃"'.encode()),
    ],
)
def test_results_are_written_as_by_aws(boto, make_function, which, payload):
    """Decimals are numbers, bytes inside a result are text, and text is not escaped."""
    name = make_function(RESULTS, Runtime="python3.12")

    assert boto.invoke(name, json.dumps(which).encode()).payload == payload


def test_older_runtimes_escape(boto, make_function):
    """Before Python 3.12 all is ASCII, on whatever interpreter the function runs."""
    name = make_function(RESULTS, Runtime="python3.9")

    assert boto.invoke(name, b'"text"').payload == rb'"\u00e9\u2603"'


def test_failure_is_one_readable_event(boto, make_function):
    """Its lines stand under each other, without a colon where there is no message."""
    name = make_function("def lambda_handler(event, context):\n    raise ValueError(*event)\n")

    plain = boto.invoke(name, '["é"]'.encode(), LogType="Tail")
    bare = boto.invoke(name, b"[]", LogType="Tail")

    assert '"errorMessage": "é"' in plain.payload.decode()
    assert "\n[ERROR] ValueError: é\nTraceback (most recent call last):\n" in plain.log
    assert "\n[ERROR] ValueError\nTraceback (most recent call last):\n" in bare.log
    assert "\n\u00a0\u00a0File " in bare.log
    events = [m for m in messages(boto, name) if m.startswith("[ERROR]")]
    assert [m.count("\n") for m in events] == [4, 4]


def test_failed_initialisation_is_told_once_a_try(boto, make_function):
    """The log has AWS's lines and no word of how our runtime came to its end."""
    name = make_function("import nothing_of_this_name\n")

    boto.invoke(name, b"{}", LogType="Tail")
    boto.invoke(name, b"{}", LogType="Tail")

    kinds = {re.split(r"[ :]", message, maxsplit=1)[0] for message in messages(boto, name)}
    assert kinds <= {"INIT_START", "INIT_REPORT", "[ERROR]", "START", "END", "REPORT", "EMBERBOX"}


def test_uncaught_exit_shows_no_path_of_the_host(boto, make_function):
    """What ends the process leaves Python's traceback in the log, of frames in the sandbox only."""
    name = make_function("def lambda_handler(event, context):\n    raise KeyboardInterrupt\n")

    done = boto.invoke(name, b"{}", LogType="Tail")

    assert done.json()["errorType"] == "Runtime.ExitError"
    files = re.findall(r'File "([^"]+)"', done.log)
    assert files
    assert [path for path in files if not path.startswith("/var/")] == []


def test_events_end_with_their_line_feed(boto, make_function):
    """As recorded from CloudWatch: an empty line is an event too, and context.log a record."""
    name = make_function(
        """
        def lambda_handler(event, context):
            context.log("of its own")
            print()
            print("printed")
        """
    )

    boto.invoke(name, b"{}", LogType="Tail")

    own = messages(boto, name)
    assert own[2:5] == ["of its own\n", "\n", "printed\n"]
    assert all(message.endswith("\n") for message in own)


def test_tail_is_text(boto, make_function):
    """The tail does not begin in the middle of a character."""
    name = make_function('def lambda_handler(event, context):\n    print("é" * 3000 + event)\n')

    tails = [boto.invoke(name, text, LogType="Tail").log for text in (b'""', b'"."', b'""')]

    assert {len(tail.encode()) for tail in tails} <= {4095, 4096}


def test_time_zone_is_the_functions(boto, make_function):
    """TZ is in force, not only visible."""
    name = make_function(
        "import time\ndef lambda_handler(event, context):\n    return time.strftime('%Z')\n",
        Environment={"Variables": {"TZ": "NPT-5:45"}},
    )

    assert boto.invoke(name, b"{}").json() == "NPT"


def test_variables_of_the_interpreter_are_in_force(boto, make_function):
    """PYTHONPATH and its like are read when an interpreter starts: so one starts."""
    name = make_function(
        "",
        Code={
            "ZipFile": make_zip(
                **{
                    "lambda_function": "import inner, sys\n"
                    "def lambda_handler(event, context):\n"
                    "    return [inner.VALUE, sys.warnoptions]\n",
                    "lib/inner": "VALUE = 7\n",
                }
            )
        },
        Environment={
            "Variables": {
                "PYTHONPATH": "/var/runtime:/var/task/lib",
                "PYTHONWARNINGS": "error::UserWarning",
            }
        },
    )

    assert boto.invoke(name, b"{}").json() == [7, ["error::UserWarning"]]


def test_libraries_of_the_package_are_found(boto, make_function):
    """LD_LIBRARY_PATH names `/var/task/lib`: the loader must look there for a soname."""
    name = make_function(
        "",
        Code={
            "ZipFile": make_zip(
                lambda_function="""
                    import ctypes

                    def lambda_handler(event, context):
                        try:
                            return ctypes.CDLL("libown.so.py")._name
                        except OSError as error:
                            return str(error)
                """,
                **{"lib/libown.so": "no library, but found"},
            )
        },
    )

    assert "/var/task/lib/libown.so.py: " in boto.invoke(name, b"{}").json()


def test_function_knows_who_it_is(boto, make_function):
    """The execution role need not exist, and a call from inside is still made in its name."""
    name = make_function(
        """
        import boto3

        def lambda_handler(event, context):
            return boto3.client("sts").get_caller_identity()["Arn"]
        """,
        Timeout=30,
        MemorySize=512,
    )

    arn = boto.invoke(name, b"{}").json()

    assert arn == f"arn:aws:sts::123456789012:assumed-role/MyLambdaExecutionRole/{name}"


@pytest.mark.parametrize(
    ("options", "path"),
    [({"LogType": "All"}, "logType"), ({"Qualifier": "no good"}, "qualifier")],
)
def test_parameters_of_invoke_are_checked(boto, make_function, options, path):
    """What is outside of the model is a ValidationException that names the member."""
    name = make_function("def lambda_handler(event, context):\n    return 1\n")

    with pytest.raises(ApiError, match=f"at '{path}' failed to satisfy constraint") as refused:
        boto.invoke(name, b"{}", **options)

    assert refused.value.code == "ValidationException"


def test_data_directory_that_cannot_be_used_is_named(tmp_path):
    """The message is about the directory, not about the address."""
    (tmp_path / "file").touch()

    with pytest.raises(RuntimeError, match=r"data directory .*file/data cannot be used: Not a dir"):
        start(tmp_path / "file" / "data", tmp_path / "log")
