"""What a server tells of failures: dead letters of functions, and actions of alarms."""

import json
import os
import time

import pytest
from secured import ACCOUNT, REGION
from test_async_events import logged

QUEUES = f"arn:aws:sqs:{REGION}:{ACCOUNT}:"
FAILS = """
    def lambda_handler(event, context):
        raise ValueError("on purpose")
"""


@pytest.fixture
def make_queue(boto):
    """Queues of this test's own: (ARN, URL). Gone afterwards."""
    urls = []

    def make(word):
        name = f"failures-{os.getpid()}-{word}"
        urls.append(boto.call("sqs", "CreateQueue", QueueName=name)["QueueUrl"])
        return QUEUES + name, urls[-1]

    yield make
    for url in urls:
        boto.call("sqs", "DeleteQueue", QueueUrl=url)


@pytest.fixture
def topic(boto):
    """The ARN of a topic of this test's own."""
    arn = boto.call("sns", "CreateTopic", Name=f"failures-{os.getpid()}")["TopicArn"]
    yield arn
    boto.call("sns", "DeleteTopic", TopicArn=arn)


def first(sqs, url):
    """The first message of a queue."""
    for _ in range(20):
        got = sqs.receive_message(
            QueueUrl=url, WaitTimeSeconds=2, MessageAttributeNames=["All"]
        ).get("Messages", [])
        if got:
            return got[0]
    raise AssertionError("no message came")


def fail_once(boto, name, payload):
    """Invoke a function whose failures are not tried again; the request's id."""
    boto.call("lambda", "PutFunctionEventInvokeConfig", FunctionName=name, MaximumRetryAttempts=0)
    answer = boto.invoke(name, payload, InvocationType="Event")
    assert answer.status == 202
    return answer.request_id


def test_a_dead_letter_in_a_queue_is_the_event_with_three_attributes(
    boto, make_queue, make_function
):
    """The body is the event byte by byte; attributes tell the request, the status, the error."""
    arn, url = make_queue("letters")
    name = make_function(FAILS, DeadLetterConfig={"TargetArn": arn})

    request_id = fail_once(boto, name, b'{"n":  1}')

    letter = first(boto.client("sqs"), url)
    assert letter["Body"] == '{"n":  1}'
    attributes = letter["MessageAttributes"]
    assert attributes["RequestID"] == {"StringValue": request_id, "DataType": "String"}
    assert attributes["ErrorCode"] == {"StringValue": "200", "DataType": "Number"}
    assert attributes["ErrorMessage"] == {"StringValue": "on purpose", "DataType": "String"}


def test_a_dead_letter_in_a_topic_reaches_its_subscribers(boto, make_queue, topic, make_function):
    """With the attributes as those of the notification."""
    arn, url = make_queue("of-topic")
    boto.call("sns", "Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=arn)
    name = make_function(FAILS, DeadLetterConfig={"TargetArn": topic})

    request_id = fail_once(boto, name, b'{"n": 2}')

    notification = json.loads(first(boto.client("sqs"), url)["Body"])
    assert notification["Message"] == '{"n": 2}'
    assert notification["MessageAttributes"]["RequestID"]["Value"] == request_id
    assert notification["MessageAttributes"]["ErrorMessage"]["Value"] == "on purpose"


def test_alarms_tell_topics_and_functions(boto, make_queue, topic, make_function):
    """A topic gets the notification under its subject, a function the event."""
    arn, url = make_queue("of-alarm")
    boto.call("sns", "Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=arn)
    name = make_function(
        """
        import json

        def lambda_handler(event, context):
            print("told", json.dumps(event))
        """
    )
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    alarm = f"failures-{os.getpid()}"
    boto.call(
        "cloudwatch",
        "PutMetricAlarm",
        AlarmName=alarm,
        Namespace="App",
        MetricName="Unmeasured",
        TreatMissingData="ignore",  # so that it changes by hand alone
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[topic, function],
    )

    moved = {"AlarmName": alarm, "StateValue": "ALARM", "StateReason": "by hand"}
    boto.call("cloudwatch", "SetAlarmState", **moved)

    notification = json.loads(first(boto.client("sqs"), url)["Body"])
    assert notification["Subject"] == f'ALARM: "{alarm}" in US East (N. Virginia)'
    message = json.loads(notification["Message"])
    assert (message["NewStateValue"], message["NewStateReason"]) == ("ALARM", "by hand")
    [line] = logged(boto, name, "told")
    event = json.loads(line.partition("told ")[2])
    assert event["source"] == "aws.cloudwatch"
    assert event["alarmData"]["state"]["value"] == "ALARM"
    done, deadline = [], time.monotonic() + 60
    while len(done) < 2 and time.monotonic() < deadline:
        told = boto.call("cloudwatch", "DescribeAlarmHistory", AlarmName=alarm)
        history = told["AlarmHistoryItems"]
        done = [item["HistorySummary"] for item in history if item["HistoryItemType"] == "Action"]
    assert sorted(done) == sorted(
        f"Successfully executed action {each}" for each in (topic, function)
    )
    boto.call("cloudwatch", "DeleteAlarms", AlarmNames=[alarm])
