"""boto3's own clients against a gateway, without sockets: what only a whole client shows."""

import io

import pytest
from botocore.exceptions import ClientError, EventStreamError
from gateway_asgi import FakeService, client, gateway

from emberbox.errors import CallerError


@pytest.mark.parametrize("mode", ["legacy", "standard"])
def test_what_is_not_built_is_not_retried(mode):
    """501 is none of the statuses that clients try again."""
    made = client(gateway(), "lambda", retries={"mode": mode, "max_attempts": 5})

    with pytest.raises(ClientError) as caught:
        made.list_functions()

    assert caught.value.response["Error"]["Code"] == "NotImplementedException"
    assert len(made.exchanges) == 1


def test_the_region_of_a_bucket_is_read():
    """The one S3 answer whose root is its value."""

    async def location(_context, params):
        return {"LocationConstraint": params["Bucket"]}

    async def oldest(_context, _params):
        return {}

    for operation, region in ((location, "eu-west-1"), (oldest, None)):
        made = client(gateway(FakeService("s3", GetBucketLocation=operation)), "s3")
        assert made.get_bucket_location(Bucket="eu-west-1")["LocationConstraint"] == region


@pytest.mark.parametrize(
    ("style", "endpoint"),
    [
        ("path", "http://127.0.0.1:4566"),
        ("path", "http://localhost:4566"),
        ("virtual", "http://localhost:4566"),
    ],
)
def test_objects_come_and_go(style, endpoint):
    """With odd keys, metadata and checksums, in both styles of addressing."""
    objects = {}

    async def put(_context, params):
        objects[params["Bucket"], params["Key"]] = params
        return {"ETag": '"e"'}

    async def get(_context, params):
        found = objects[params["Bucket"], params["Key"]]
        return {"Body": found["Body"], "Metadata": found["Metadata"], "ETag": '"e"'}

    made = client(
        gateway(FakeService("s3", PutObject=put, GetObject=get)),
        "s3",
        endpoint_url=endpoint,
        s3={"addressing_style": style},
    )
    key = "a/b c//d+é?&%"
    made.put_object(Bucket="bucket", Key=key, Body=io.BytesIO(b"\x00\xff"), Metadata={"k": "v"})
    found = made.get_object(Bucket="bucket", Key=key)

    assert found["Body"].read() == b"\x00\xff"
    assert found["Metadata"] == {"k": "v"}
    assert objects["bucket", key]["ContentLength"] == 2


def test_errors_have_the_classes_that_clients_catch():
    """One service for each protocol."""

    def refusing(code):
        async def operation(_context, _params):
            raise CallerError(code, "no")

        return operation

    app = gateway(
        FakeService("lambda", GetFunction=refusing("ResourceNotFoundException")),
        FakeService("sqs", GetQueueUrl=refusing("QueueDoesNotExist")),
        FakeService("iam", GetRole=refusing("NoSuchEntityException")),
        FakeService("logs", DescribeLogGroups=refusing("LimitExceededException")),
        FakeService("s3", GetObject=refusing("NoSuchKey")),
        FakeService("cloudwatch", SetAlarmState=refusing("InvalidFormatFault")),
    )
    functions, queues, roles = (client(app, name) for name in ("lambda", "sqs", "iam"))
    logs, objects, metrics = (client(app, name) for name in ("logs", "s3", "cloudwatch"))

    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_function(FunctionName="f")
    with pytest.raises(queues.exceptions.QueueDoesNotExist) as caught:
        queues.get_queue_url(QueueName="q")
    with pytest.raises(roles.exceptions.NoSuchEntityException):
        roles.get_role(RoleName="r")
    with pytest.raises(logs.exceptions.LimitExceededException):
        logs.describe_log_groups()
    with pytest.raises(objects.exceptions.NoSuchKey):
        objects.get_object(Bucket="b", Key="k")
    with pytest.raises(metrics.exceptions.InvalidFormatFault):
        metrics.set_alarm_state(AlarmName="a", StateValue="OK", StateReason="r")

    error = caught.value.response["Error"]
    assert error["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
    assert error["QueryErrorCode"] == "QueueDoesNotExist"


def test_invoke_carries_bytes_both_ways():
    """With the status of the invocation type, and headers beside the body."""
    seen = []

    async def invoke(_context, params):
        seen.append(params)
        return {"StatusCode": 200, "ExecutedVersion": "3", "Payload": b'{"x": 1}'}

    made = client(gateway(FakeService("lambda", Invoke=invoke)), "lambda")
    answer = made.invoke(FunctionName="f", Payload=b'"in"', LogType="Tail", ClientContext="e30=")

    assert seen == [
        {"FunctionName": "f", "Payload": b'"in"', "LogType": "Tail", "ClientContext": "e30="}
    ]
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "3")
    assert answer["Payload"].read() == b'{"x": 1}'


def test_events_of_a_stream_arrive_one_by_one():
    """An asynchronous iterator of events becomes AWS's event stream."""

    async def tail(_context, _params):
        async def events():
            yield {"sessionStart": {"requestId": "r"}}
            yield {"sessionUpdate": {"sessionResults": [{"message": "line"}]}}

        return {"responseStream": events()}

    made = client(gateway(FakeService("logs", StartLiveTail=tail)), "logs")
    stream = made.start_live_tail(logGroupIdentifiers=["arn:aws:logs:eu-west-1:1:log-group:g"])

    assert list(stream["responseStream"]) == [
        {"sessionStart": {"requestId": "r"}},
        {"sessionUpdate": {"sessionResults": [{"message": "line"}]}},
    ]


@pytest.mark.parametrize("code", ["SessionTimeoutException", "Unmodelled"])
def test_an_error_within_a_stream_ends_it(code):
    """After what came before it."""

    async def tail(_context, _params):
        async def events():
            yield {"sessionStart": {"requestId": "r"}}
            raise CallerError(code, "over")

        return {"responseStream": events()}

    made = client(gateway(FakeService("logs", StartLiveTail=tail)), "logs")
    stream = iter(
        made.start_live_tail(logGroupIdentifiers=["arn:aws:logs:eu-west-1:1:log-group:g"])[
            "responseStream"
        ]
    )

    assert next(stream) == {"sessionStart": {"requestId": "r"}}
    with pytest.raises(EventStreamError) as caught:
        next(stream)
    assert caught.value.response["Error"] == {"Code": code, "Message": "over"}


def test_large_metrics_come_compressed():
    """botocore packs what is large; the operation sees it unpacked."""
    seen = []

    async def put(_context, params):
        seen.append(len(params["MetricData"]))
        return {}

    made = client(gateway(FakeService("cloudwatch", PutMetricData=put)), "cloudwatch")
    made.put_metric_data(
        Namespace="n", MetricData=[{"MetricName": "m" * 100, "Value": 1.0} for _ in range(500)]
    )

    assert seen == [500]
