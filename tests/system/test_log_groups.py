"""Log groups through boto3: filters that wake functions and count."""

import json
import os
import time

import boto3
import pytest
from botocore.config import Config
from hands import ApiError

LAMBDA = "arn:aws:lambda:us-east-1:123456789012:function:"
_WAIT_S = 90.0

ALARMED = """
    import base64, gzip, json

    def lambda_handler(event, context):
        data = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
        for each in data["logEvents"]:
            print("SEEN", data["logGroup"], data["subscriptionFilters"][0], each["message"])
"""
TALKING = """
    def lambda_handler(event, context):
        print(event["say"])
"""


def until(look):
    """What a look finds, once it finds something."""
    deadline = time.monotonic() + _WAIT_S
    while not (found := look()) and time.monotonic() < deadline:
        pass
    return found


@pytest.fixture
def logs(boto):
    """A boto3 client."""
    return boto.client("logs")


@pytest.fixture
def group(logs):
    """A group of this test's own with a stream `s`."""
    name = f"/app/{os.getpid()}-{time.monotonic_ns()}"
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    yield name
    logs.delete_log_group(logGroupName=name)


def put(logs, group, *messages):
    """Put messages of now."""
    events = [{"timestamp": int(time.time() * 1000), "message": text} for text in messages]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def test_a_pattern_in_a_functions_log_wakes_another_function(boto, logs, make_function):
    """What one prints invokes the other, which may not be subscribed to itself."""
    talking, alarmed = make_function(TALKING), make_function(ALARMED)
    boto.call(
        "lambda",
        "AddPermission",
        FunctionName=alarmed,
        StatementId="logs",
        Action="lambda:InvokeFunction",
        Principal="logs.amazonaws.com",
        SourceArn=f"arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/{talking}:*",
    )
    group, own = f"/aws/lambda/{talking}", f"/aws/lambda/{alarmed}"
    for each in (group, own):
        logs.create_log_group(logGroupName=each)
    subscription = {
        "filterName": "money",
        "filterPattern": "{ $.total > 100 }",
        "destinationArn": LAMBDA + alarmed,
    }
    logs.put_subscription_filter(logGroupName=group, **subscription)
    with pytest.raises(ApiError, match="endless loop"):
        boto.call("logs", "PutSubscriptionFilter", logGroupName=own, **subscription)
    for total in (99, 101):
        boto.invoke(talking, json.dumps({"say": json.dumps({"total": total})}).encode())

    def seen():
        return logs.filter_log_events(logGroupName=own, filterPattern="SEEN")["events"]

    assert [event["message"].rstrip() for event in until(seen)] == [
        f'SEEN {group} money {{"total": 101}}'
    ]


def test_a_metric_filter_feeds_cloudwatch(boto, logs, group):
    """Values of JSON events by their dimension, read as any metric."""
    transformation = {
        "metricNamespace": f"Shop{group}".replace("/", "-"),
        "metricName": "Total",
        "metricValue": "$.total",
        "dimensions": {"Shop": "$.shop"},
        "unit": "None",
    }
    logs.put_metric_filter(
        logGroupName=group,
        filterName="totals",
        filterPattern="{ $.total = * }",
        metricTransformations=[transformation],
    )
    put(logs, group, *(json.dumps({"shop": "a", "total": total}) for total in (1, 2, 39)))

    def measured():
        now = time.time()
        return boto.client("cloudwatch").get_metric_statistics(
            Namespace=transformation["metricNamespace"],
            MetricName="Total",
            Dimensions=[{"Name": "Shop", "Value": "a"}],
            StartTime=now - 3_600,
            EndTime=now + 60,
            Period=3_600 * 24,
            Statistics=["Sum", "SampleCount"],
        )["Datapoints"]

    assert [(each["Sum"], each["SampleCount"]) for each in until(measured)] == [(42.0, 3.0)]


def test_a_tail_shows_what_is_stored_while_it_is_watched(server, logs, group):
    """Its beginning, then what matches, until the client leaves."""
    watching = boto3.client(
        "logs",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="emberbox",
        aws_secret_access_key="emberbox",
        config=Config(inject_host_prefix=False),
    )
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{group}"
    put(logs, group, "keep before")
    tail = watching.start_live_tail(logGroupIdentifiers=[arn], logEventFilterPattern="keep")
    events = iter(tail["responseStream"])
    assert next(events)["sessionStart"]["logGroupIdentifiers"] == [arn]
    put(logs, group, "keep this", "drop that")
    seen = []
    while not seen:
        seen = next(events)["sessionUpdate"]["sessionResults"]
    assert [(each["message"], each["logStreamName"]) for each in seen] == [("keep this", "s")]
    tail["responseStream"].close()
    watching.close()


def test_queries_add_up_what_functions_log(boto, logs, make_function):
    """REPORT lines by their discovered fields, JSON by its own, a text by a pattern."""
    name = make_function(TALKING)
    for say in ('{"total": 5}', '{"total": 37}', "user=ann id=7"):
        boto.invoke(name, json.dumps({"say": say}).encode(), LogType="Tail")
    group = f"/aws/lambda/{name}"

    def ask(text):
        now = int(time.time())
        query = logs.start_query(
            logGroupName=group, startTime=now - 3_600, endTime=now + 60, queryString=text
        )["queryId"]
        answer = until(
            lambda: (
                found
                if (found := logs.get_query_results(queryId=query))["status"] == "Complete"
                else None
            )
        )
        return [
            {each["field"]: each["value"] for each in row if each["field"] != "@ptr"}
            for row in answer["results"]
        ]

    (report,) = ask(
        'filter @type = "REPORT" | stats count(*) as n, max(@memorySize / 1000 / 1000) as mb,'
        " min(@duration) as least"
    )
    assert (report["n"], report["mb"]) == ("3", "128")
    assert float(report["least"]) > 0
    assert ask("stats sum(total) as sum") == [{"sum": "42"}]
    assert ask(
        'parse "user=* id=*" as user, id | filter ispresent(user)'
        " | fields user, trim(id) as number | limit 1"
    ) == [{"user": "ann", "number": "7"}]
    with pytest.raises(ApiError, match="MalformedQuery"):
        boto.call(
            "logs",
            "StartQuery",
            logGroupName=group,
            startTime=0,
            endTime=1,
            queryString="filter (",
        )
