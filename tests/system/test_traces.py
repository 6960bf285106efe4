"""Traces: what functions send to X-Ray's daemon and what Lambda records itself can be read back."""

import base64
import io
import json
import os
import re
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from secured import TRUST, Secured, allow, secured
from tools_of_others import python_packages

# The first of them waits until the tool is installed.
pytestmark = pytest.mark.timeout(600)

SOURCE = """
    from aws_xray_sdk.core import xray_recorder

    def lambda_handler(event, context):
        with xray_recorder.in_subsegment("work") as part:
            part.put_annotation("customer", event["customer"])
            part.put_metadata("what", {"deep": [1, 2]})
            if event.get("fail"):
                raise ValueError("no such thing")
        return event["customer"]
"""
PLAIN = """
    import json, os, socket

    def lambda_handler(event, context):
        fields = dict(part.split("=") for part in os.environ["_X_AMZN_TRACE_ID"].split(";"))
        part = {"id": "53995c3f42cd8ad8", "name": "own", "type": "subsegment",
                "trace_id": fields["Root"], "parent_id": fields["Parent"],
                "start_time": 1.0, "end_time": 2.0}
        host, _, port = os.environ["AWS_XRAY_DAEMON_ADDRESS"].rpartition(":")
        text = json.dumps({"format": "json", "version": 1}) + chr(10) + json.dumps(part)
        to = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        to.sendto(text.encode(), (host, int(port)))
        return fields["Root"]
"""
_NUMBER = iter(range(1_000_000))


def new_root():
    """The id of a trace that nobody has."""
    now, number = int(datetime.now(UTC).timestamp()), next(_NUMBER)
    return f"1-{now:08x}-{os.getpid():012x}{number:012x}"


def invoke(client, name, event, trace=None):
    """Invoke a function, in a trace if one is given; the answer."""

    def add(request, **_):
        if trace:
            request.headers["X-Amzn-Trace-Id"] = trace

    client.meta.events.register("before-sign.lambda.Invoke", add, unique_id="trace")
    try:
        return client.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail")
    finally:
        client.meta.events.unregister("before-sign.lambda.Invoke", unique_id="trace")


def documents(client, root):
    """The segments of a trace."""
    traces = client.batch_get_traces(TraceIds=[root])["Traces"]
    return [json.loads(s["Document"]) for trace in traces for s in trace["Segments"]]


def by_origin(segments):
    return {segment.get("origin", segment["name"]): segment for segment in segments}


def summaries(client, expression):
    now = datetime.now(UTC)
    return client.get_trace_summaries(
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=1),
        FilterExpression=expression,
    )["TraceSummaries"]


@pytest.fixture(scope="module")
def package():
    """A function that uses the X-Ray SDK, with the SDK."""
    place = python_packages("aws-xray-sdk==2.15.0", "wrapt==1.17.3")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in place.rglob("*"):
            wanted = path.relative_to(place).parts[0] in {"aws_xray_sdk", "wrapt"}
            if wanted and path.is_file() and path.suffix != ".pyc":
                archive.write(path, path.relative_to(place))
        archive.writestr("lambda_function.py", SOURCE.replace("\n    ", "\n"))
    return out.getvalue()


def test_the_xray_sdk_records_what_a_function_does(boto, make_function, package):
    """Its subsegments stand in the function's segment, with Lambda's own around them."""
    name = make_function(
        SOURCE,
        Code={"ZipFile": package},
        TracingConfig={"Mode": "Active"},
        Timeout=20,
        MemorySize=1_769,
    )
    answer = invoke(boto.client("lambda"), name, {"customer": f"c-{name}"})
    assert json.load(answer["Payload"]) == f"c-{name}"
    assert re.search(rb"XRAY TraceId: 1-", base64.b64decode(answer["LogResult"]))

    xray = boto.client("xray")
    (summary,) = summaries(xray, f'service("{name}") AND annotation.customer = "c-{name}"')
    assert not summary["HasFault"]
    assert {each["Type"] for each in summary["ServiceIds"]} == {
        "AWS::Lambda",
        "AWS::Lambda::Function",
    }
    segments = by_origin(documents(xray, summary["Id"]))
    service, function = segments["AWS::Lambda"], segments["AWS::Lambda::Function"]
    assert function["parent_id"] == service["id"]
    parts = {part["name"]: part for part in function["subsegments"]}
    assert {"Initialization", "Invocation", "Overhead", "work"} <= parts.keys()
    assert parts["work"]["annotations"] == {"customer": f"c-{name}"}
    assert parts["work"]["metadata"] == {"default": {"what": {"deep": [1, 2]}}}

    graph = xray.get_trace_graph(TraceIds=[summary["Id"]])["Services"]
    assert {node["Type"] for node in graph} == {
        "client",
        "AWS::Lambda",
        "AWS::Lambda::Function",
    }


def test_the_caller_decides_whether_a_trace_is_recorded(boto, make_function):
    """Of a function without active tracing only what the caller samples is recorded."""
    name = make_function(PLAIN, Timeout=10)
    client, xray = boto.client("lambda"), boto.client("xray")
    wanted, unwanted = new_root(), new_root()
    invoke(client, name, {}, f"Root={wanted};Parent=0123456789abcdef;Sampled=1")
    invoke(client, name, {}, f"Root={unwanted};Parent=0123456789abcdef;Sampled=0")
    segments = by_origin(documents(xray, wanted))
    assert segments["AWS::Lambda"]["parent_id"] == "0123456789abcdef"
    assert "own" in [part["name"] for part in segments["AWS::Lambda::Function"]["subsegments"]]
    # What the function sends by itself, unasked, is its own affair.
    assert [part["name"] for part in documents(xray, unwanted)] == ["own"]


def test_a_failure_is_a_fault_of_the_trace(boto, make_function):
    """What a function raises shows in its trace with its place, and can be searched for."""
    name = make_function(
        "def lambda_handler(event, context):\n    raise ValueError('no such part')",
        TracingConfig={"Mode": "Active"},
    )
    invoke(boto.client("lambda"), name, {})
    xray = boto.client("xray")
    sought = f'service("{name}") {{ fault }} AND message CONTAINS "such part"'
    (summary,) = summaries(xray, sought)
    assert summary["HasFault"]
    cause = by_origin(documents(xray, summary["Id"]))["AWS::Lambda::Function"]["cause"]
    (exception,) = cause["exceptions"]
    assert (exception["type"], exception["message"]) == ("ValueError", "no such part")
    assert exception["stack"] == [
        {"path": "/var/task/lambda_function.py", "line": 2, "label": "lambda_handler"}
    ]


def test_a_group_is_a_filter_with_a_name(boto, make_function):
    """Summaries, graphs and statistics can be asked for by it."""
    wanted, other = (
        make_function(
            "def lambda_handler(event, context):\n    return 1", TracingConfig={"Mode": "Active"}
        )
        for _ in range(2)
    )
    client, xray = boto.client("lambda"), boto.client("xray")
    group = xray.create_group(
        GroupName=f"g-{wanted}"[:32], FilterExpression=f'service("{wanted}")'
    )["Group"]
    for name in (wanted, other):
        invoke(client, name, {})
    found = summaries(xray, f'group.name = "{group["GroupName"]}"')
    assert [each["EntryPoint"]["Name"] for each in found] == [wanted]
    now = datetime.now(UTC)
    span = {"StartTime": now - timedelta(minutes=10), "EndTime": now + timedelta(minutes=1)}
    graph = xray.get_service_graph(**span, GroupARN=group["GroupARN"])["Services"]
    assert {node["Name"] for node in graph} == {wanted}
    points = xray.get_time_series_service_statistics(**span, GroupName=group["GroupName"])
    (point,) = points["TimeSeriesServiceStatistics"]
    assert point["ServiceSummaryStatistics"]["TotalCount"] == 1
    xray.delete_group(GroupName=group["GroupName"])
    names = [each["GroupName"] for each in xray.get_groups()["Groups"]]
    assert group["GroupName"] not in names
    assert "Default" in names


def test_segments_of_others_are_kept_and_bad_ones_are_named(boto):
    """PutTraceSegments keeps what is a segment, and says of the rest what is wrong with it."""
    root, xray = new_root(), boto.client("xray")
    now = datetime.now(UTC).timestamp()
    good = {
        "id": "70de5b6f19ff9a0a",
        "trace_id": root,
        "name": "shop",
        "start_time": now - 1,
        "end_time": now,
        "http": {"request": {"url": "https://shop/cart"}, "response": {"status": 503}},
        "fault": True,
    }
    answer = xray.put_trace_segments(
        TraceSegmentDocuments=[json.dumps(good), "{", json.dumps({**good, "trace_id": "2"})]
    )
    codes = [each["ErrorCode"] for each in answer["UnprocessedTraceSegments"]]
    assert codes == ["ParseError", "InvalidTraceId"]
    (summary,) = summaries(xray, 'http.status = 503 AND http.url CONTAINS "shop/cart"')
    assert (summary["Id"], summary["ResponseTime"]) == (root, pytest.approx(1, abs=0.001))
    assert xray.get_sampling_rules()["SamplingRuleRecords"][-1]["SamplingRule"]["RuleName"]


def test_without_the_right_to_it_nothing_is_recorded(tmp_path):
    """Where policies are enforced, a role needs xray:PutTraceSegments; network is not needed."""
    with secured(tmp_path, "enforced", "--network", "none") as running:
        server, roots = Secured(running, tmp_path), {}
        for name, statements in (
            ("traced", [allow("xray:PutTraceSegments")]),
            ("untraced", [allow("logs:PutLogEvents")]),
        ):
            role = server.role(name, TRUST, *statements)
            server.function(name, role, PLAIN)
            roots[name] = new_root()
            invoke(server.as_root.client("lambda"), name, {}, f"Root={roots[name]};Sampled=1")
        xray = server.as_root.client("xray")
        found = by_origin(documents(xray, roots["traced"]))
        parts = [part["name"] for part in found["AWS::Lambda::Function"]["subsegments"]]
        assert "own" in parts
        assert documents(xray, roots["untraced"]) == []
