"""Metrics, bill, logs and what the client saw tell the same; the command line shows it."""

import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hands import Boto3Hands
from material import ROLE, await_rest, make_zip

from tools.running import running, start

SOURCE = """
    import time

    def lambda_handler(event, context):
        print("hello")
        if event.get("fail"):
            raise ValueError("on purpose")
        time.sleep(event.get("s", 0))
        return event
"""
HERE = {"x-amz-function-error": ""}


@pytest.fixture
def emberbox(server):
    """Runs a command of ours against the server: (status, output, errors)."""

    def run(*words, text=""):
        done = subprocess.run(
            [sys.executable, "-m", "emberbox", *words, "--endpoint-url", server.url],
            input=text,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


def bill_of(server, name):
    """The rows of a function's bill."""
    with urllib.request.urlopen(f"{server.url}/_emberbox/usage", timeout=30) as answer:
        return [row for row in json.load(answer)["days"] if row["function"] == name]


def metric(boto, name, which):
    """The sum of a metric of a function."""
    now = datetime.now(UTC)
    points = boto.call(
        "cloudwatch",
        "GetMetricStatistics",
        Namespace="AWS/Lambda",
        MetricName=which,
        Dimensions=[{"Name": "FunctionName", "Value": name}],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=7_200,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    return sum(point["Sum"] for point in points)


def test_what_ran_is_counted_alike_everywhere(server, boto, make_function):
    """400 invocations with failures and time-outs: client, metrics, bill and log agree exactly."""
    name = make_function(SOURCE, Timeout=1)
    boto.client("lambda")
    events = [{"fail": n % 7 == 0, "s": 3 if n % 100 == 50 else 0} for n in range(400)]

    def invoke(event):
        return boto.invoke(name, json.dumps(event).encode()).error or "ok"

    with ThreadPoolExecutor(4) as pool:
        seen = Counter(pool.map(invoke, events))
    await_rest(server.url, name)

    rows = bill_of(server, name)
    assert seen["ok"] + seen["Unhandled"] == 400
    assert sum(row["runs"] for row in rows) == 400
    assert sum(row["errors"] for row in rows) == seen["Unhandled"]
    assert metric(boto, name, "Invocations") == 400
    assert metric(boto, name, "Errors") == seen["Unhandled"]
    logged = boto.client("logs").get_paginator("filter_log_events")
    pages = logged.paginate(logGroupName=f"/aws/lambda/{name}", filterPattern="REPORT")
    reports = [event["message"] for page in pages for event in page["events"]]
    assert len(reports) == 400
    billed = [int(line.split("Billed Duration: ")[1].split()[0]) for line in reports]
    assert sum(billed) == sum(row["billedMs"] for row in rows)


def test_processor_time_is_on_the_bill(server, boto, make_function):
    """What a function computes for is told apart from what it waits for."""
    name = make_function(
        """
        import time

        def lambda_handler(event, context):
            time.sleep(0.3)
            began = time.process_time()
            while time.process_time() - began < 0.2:
                pass
        """,
        MemorySize=1769,
    )

    boto.invoke(name, b"{}", LogType="Tail")

    (row,) = bill_of(server, name)
    assert 200 <= row["cpuMs"] < row["billedMs"]


def test_invoke_prints_the_result_and_the_facts_apart(emberbox, make_function):
    """The result alone on standard output; the status tells of a failed function."""
    name = make_function(SOURCE)

    good = emberbox("invoke", name, "-p", '{"a": 1}')
    piped = emberbox("invoke", name, "-p", "-", text='{"b": 2}')
    bad = emberbox("invoke", name, "-p", '{"fail": true}', "--logs")
    nobody = emberbox("invoke", "nobody")

    assert (good[0], json.loads(good[1])) == (0, {"a": 1})
    assert good[2].startswith("ok ")
    assert json.loads(piped[1]) == {"b": 2}
    assert bad[0] == 1
    assert "on purpose" in bad[2]
    assert nobody[0] == 3


def test_an_invocation_is_told_to_programs(emberbox, make_function):
    """With --json: result, facts and log as one object a line; queued events too."""
    name = make_function(SOURCE)

    twice = emberbox("invoke", name, "-p", '{"a": 1}', "--json", "--repeat", "2")
    bad = emberbox("invoke", name, "-p", '{"fail": true}', "--json", "--logs")
    queued = emberbox("invoke", name, "--async", "--json")

    good = [json.loads(line) for line in twice[1].splitlines()]
    assert [(each["result"], each["failed"], each["memoryMb"]) for each in good] == [
        ({"a": 1}, False, 128)
    ] * 2
    failed = json.loads(bad[1])
    assert (bad[0], failed["failed"], failed["result"]["errorMessage"]) == (1, True, "on purpose")
    assert failed["requestId"] in failed["log"]
    assert json.loads(queued[1])["statusCode"] == 202


def test_a_log_of_json_in_a_group_of_its_own_is_shown(emberbox, make_function):
    """And its figures are told of an invocation."""
    name = make_function(SOURCE, LoggingConfig={"LogFormat": "JSON", "LogGroup": "/my/own"})

    facts = emberbox("invoke", name)[2]
    emberbox("invoke", name, "-p", '{"fail": true}')
    every = emberbox("logs", name)[1]
    errors = emberbox("logs", name, "--errors", "--json")[1]

    assert "/128 MB  req " in facts
    assert facts.split()[-1] in every
    told = [json.loads(json.loads(line)["message"]) for line in errors.splitlines()]
    assert {"error"} == {each["record"]["status"] for each in told if "record" in each}


def test_functions_are_listed_and_shown(server, emberbox, make_function):
    """With what they did."""
    name = make_function(SOURCE)
    emberbox("invoke", name)
    await_rest(server.url, name)

    listed, shown = emberbox("ls"), emberbox("show", name)
    as_json = emberbox("show", name, "--json")

    assert name in listed[1]
    assert "1 runs (1 cold, 0 failed, 0 throttled)" in shown[1]
    assert json.loads(as_json[1])["configuration"]["FunctionName"] == name


def test_logs_are_shown_by_request_and_by_error(server, emberbox, make_function):
    """Only what was asked for."""
    name = make_function(SOURCE)
    facts = emberbox("invoke", name)[2]
    emberbox("invoke", name, "-p", '{"fail": 1}')
    await_rest(server.url, name)

    every = emberbox("logs", name)[1]
    errors = emberbox("logs", name, "--errors")[1]
    one = emberbox("logs", name, "--request-id", facts.rsplit("req ", 1)[1].strip())[1]

    assert every.count("hello") == 2
    assert "on purpose" in errors
    assert "hello" not in errors
    assert one.count("REPORT") == 1
    assert emberbox("logs", "nobody")[0] == 3


def test_cost_is_summed_as_asked(server, emberbox, make_function):
    """By function, compared with a machine."""
    name = make_function(SOURCE)
    emberbox("invoke", name, "--repeat", "3")
    await_rest(server.url, name)

    table = emberbox("cost", "--always-on", "0.01")[1]
    used = json.loads(emberbox("cost", "--json")[1])

    assert name in table
    assert "always on $7.30" in table
    assert [row["runs"] for row in used["days"] if row["function"] == name] == [3]


def test_provisioned_concurrency_is_on_the_bill(server, boto, emberbox, make_function):
    """For keeping the environment, and for what runs on it."""
    name = make_function(SOURCE)
    version = boto.call("lambda", "PublishVersion", FunctionName=name)["Version"]
    boto.wait("lambda", "PublishedVersionActive", FunctionName=name, Qualifier=version)
    called = {"FunctionName": name, "Qualifier": version}
    boto.call(
        "lambda", "PutProvisionedConcurrencyConfig", ProvisionedConcurrentExecutions=1, **called
    )
    for _ in range(600):
        if boto.call("lambda", "GetProvisionedConcurrencyConfig", **called)["Status"] == "READY":
            break
    boto.invoke(name, b"{}", Qualifier=version)
    [row] = bill_of(server, name)
    begun = time.monotonic()
    while not row["keptGbSeconds"] and time.monotonic() - begun < 30:
        [row] = bill_of(server, name)

    assert row["provisionedGbSeconds"] == row["gbSeconds"] > 0
    assert row["keptGbSeconds"] > 0
    assert "for provisioned concurrency" in emberbox("cost")[1]


def test_watchers_see_what_runs(server, emberbox, make_function):
    """`top`, and Prometheus."""
    name = make_function(SOURCE)
    emberbox("invoke", name)
    await_rest(server.url, name)

    shown = emberbox("top", "--count", "1", "--interval", "0.1")[1]
    told = json.loads(emberbox("top", "--count", "1", "--interval", "0.1", "--json")[1])
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=30) as answer:
        text = answer.read().decode()

    assert name in shown
    assert [row["idle"] for row in told if row["function"] == name] == [1]
    assert f'function="{name}"}} 1' in text


def test_throttles_are_counted(server, boto, make_function, emberbox):
    """As a metric, and by watchers; they are not billed."""
    name = make_function(SOURCE)
    boto.call(
        "lambda",
        "PutFunctionConcurrency",
        FunctionName=name,
        ReservedConcurrentExecutions=0,
    )

    status = emberbox("invoke", name)[0]

    assert status == 5
    assert metric(boto, name, "Throttles") == 1
    assert bill_of(server, name) == []


def test_bench_tells_how_a_function_does_under_load(emberbox, make_function):
    """What its clients saw and the server counted; a failure shows in the status."""
    name = make_function(SOURCE, MemorySize=1_769)

    good = emberbox("bench", name, "-c", "2", "-d", "1s", "--json")
    bad = emberbox("bench", name, "-c", "1", "-d", "1s", "-p", '{"fail": 1}')
    nobody = emberbox("bench", "nobody", "-d", "1s")

    told = json.loads(good[1])
    assert good[0] == 0
    assert told["invocations"] >= 2
    assert told["p50Ms"] <= told["p95Ms"] <= told["p99Ms"] <= told["maxMs"]
    assert 1 <= told["cold"] <= told["invocations"]
    assert told["coldShare"] == pytest.approx(told["cold"] / told["invocations"], abs=1e-4)
    assert bad[0] == 1
    assert "failed" in bad[1]
    assert nobody[0] == 3
    shown = json.loads(emberbox("show", name, "--json")[1])
    assert shown


def test_the_bill_outlives_a_killed_server(tmp_path):
    """Whatever was answered before the kill is on it, once."""
    answered = 0
    for life in range(2):
        server = start(tmp_path / "data", tmp_path / "log")
        hands = Boto3Hands(server.url)
        if life == 0:
            code = {"ZipFile": make_zip(lambda_function=SOURCE)}
            hands.call(
                "lambda",
                "CreateFunction",
                FunctionName="billed",
                Runtime="python3.12",
                Role=ROLE,
                Handler="lambda_function.lambda_handler",
                Code=code,
            )
            hands.wait("lambda", "FunctionActiveV2", FunctionName="billed")
        for _ in range(30):
            answered += hands.invoke("billed", b"{}", LogType="Tail").status == 200
        hands.close()
        server.kill()
    with (
        running(tmp_path / "data", tmp_path / "log") as server,
        urllib.request.urlopen(f"{server.url}/_emberbox/usage") as page,
    ):
        rows = json.load(page)["days"]
    assert sum(row["runs"] for row in rows) == answered == 60
