"""Buckets that tell of their objects: functions, queues, topics, buses, loops, code, failures."""

import itertools
import json
import os
import time

import pytest
from hands import ApiError
from material import make_zip

ACCOUNT = "123456789012"
ARN = f"arn:aws:{{}}:us-east-1:{ACCOUNT}:"
_numbers = itertools.count(1)

COPIES = """
import os, boto3
from urllib.parse import unquote_plus

s3 = boto3.client("s3")


def lambda_handler(event, context):
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        to = os.environ["TARGET"]
        s3.put_object(Bucket=to, Key=f"{key}{os.environ['SUFFIX']}", Body=body.upper())
"""


@pytest.fixture
def make_bucket(boto):
    """Buckets of this test's own."""
    made = []

    def make():
        name = f"events-{os.getpid()}-{next(_numbers)}"
        boto.call("s3", "CreateBucket", Bucket=name)
        made.append(name)
        return name

    yield make
    for name in made:
        listed = boto.call("s3", "ListObjectsV2", Bucket=name).get("Contents", [])
        for each in listed:
            boto.call("s3", "DeleteObject", Bucket=name, Key=each["Key"])
        boto.call("s3", "DeleteBucket", Bucket=name)


def tell(boto, bucket, **configuration):
    boto.call(
        "s3",
        "PutBucketNotificationConfiguration",
        Bucket=bucket,
        NotificationConfiguration=configuration,
    )


def function_told(arn, events=("s3:ObjectCreated:*",), **filters):
    rules = [{"Name": name, "Value": value} for name, value in filters.items()]
    return {
        "LambdaFunctionArn": arn,
        "Events": list(events),
        "Filter": {"Key": {"FilterRules": rules}},
    }


def eventually(look, seconds=90):
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.05)


def test_an_upload_wakes_a_function_that_fills_another_bucket(boto, make_function, make_bucket):
    """Only for keys that the filter lets through; the key comes encoded."""
    source, target = make_bucket(), make_bucket()
    name = make_function(
        COPIES,
        Timeout=60,
        MemorySize=1769,
        Environment={"Variables": {"TARGET": target, "SUFFIX": ".up"}},
    )
    arn = ARN.format("lambda") + f"function:{name}"
    boto.call(
        "lambda",
        "AddPermission",
        FunctionName=name,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{source}",
    )
    told = function_told(arn, prefix="in/", suffix=".txt")
    tell(boto, source, LambdaFunctionConfigurations=[told])
    boto.call("s3", "PutObject", Bucket=source, Key="out/a.txt", Body=b"no")
    boto.call("s3", "PutObject", Bucket=source, Key="in/a b+é.txt", Body=b"hello")
    found = eventually(lambda: boto.call("s3", "ListObjectsV2", Bucket=target).get("Contents"))

    assert [each["Key"] for each in found] == ["in/a b+é.txt.up"]
    shown = boto.call("s3", "GetBucketNotificationConfiguration", Bucket=source)
    assert shown["LambdaFunctionConfigurations"][0]["Id"]


def test_a_function_that_writes_to_its_own_bucket_is_stopped(boto, make_function, make_bucket):
    """The seventeenth run of the chain does not happen."""
    bucket = make_bucket()
    name = make_function(
        COPIES,
        Timeout=60,
        MemorySize=1769,
        Environment={"Variables": {"TARGET": bucket, "SUFFIX": "+"}},
    )
    arn = ARN.format("lambda") + f"function:{name}"
    tell(boto, bucket, LambdaFunctionConfigurations=[function_told(arn)])
    boto.call("s3", "PutObject", Bucket=bucket, Key="k", Body=b"x")

    def count():
        return len(boto.call("s3", "ListObjectsV2", Bucket=bucket).get("Contents", []))

    eventually(lambda: count() >= 16)
    seen, quiet = count(), 0
    while quiet < 10:
        time.sleep(0.2)
        quiet, seen = (quiet + 1, seen) if count() == seen else (0, count())
    assert seen <= 18


def test_queues_and_topics_hear_of_every_kind_of_change(boto, make_bucket):
    """A test event first, then each change; topics wrap them as any message."""
    bucket = make_bucket()
    urls = {
        name: boto.call("sqs", "CreateQueue", QueueName=f"{bucket}-{name}")["QueueUrl"]
        for name in ("q", "t")
    }
    topic = boto.call("sns", "CreateTopic", Name=bucket)["TopicArn"]
    boto.call(
        "sns",
        "Subscribe",
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=ARN.format("sqs") + f"{bucket}-t",
        Attributes={"RawMessageDelivery": "true"},
    )
    tell(
        boto,
        bucket,
        QueueConfigurations=[
            {
                "Id": "mine",
                "QueueArn": ARN.format("sqs") + f"{bucket}-q",
                "Events": ["s3:ObjectCreated:*", "s3:ObjectTagging:*"],
            }
        ],
        TopicConfigurations=[{"TopicArn": topic, "Events": ["s3:ObjectRemoved:*"]}],
    )
    where = {"Bucket": bucket, "Key": "k"}
    boto.call("s3", "PutObject", **where, Body=b"abc")
    boto.call("s3", "CopyObject", Bucket=bucket, Key="c", CopySource=f"{bucket}/k")
    boto.call("s3", "PutObjectTagging", **where, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    boto.call("s3", "DeleteObject", **where)

    def received(name, expected):
        found = []

        def look():
            answer = boto.call("sqs", "ReceiveMessage", QueueUrl=urls[name], MaxNumberOfMessages=10)
            found.extend(json.loads(each["Body"]) for each in answer.get("Messages", []))
            return len(found) >= expected

        eventually(look)
        return found

    heard = received("q", 4)
    assert sum(each.get("Event") == "s3:TestEvent" for each in heard) == 1
    records = [each["Records"][0] for each in heard if "Records" in each]
    assert {each["eventName"] for each in records} == {
        "ObjectCreated:Put",
        "ObjectCreated:Copy",
        "ObjectTagging:Put",
    }
    put = next(each for each in records if each["eventName"] == "ObjectCreated:Put")
    assert put["s3"]["configurationId"] == "mine"
    assert put["s3"]["object"]["size"] == 3
    removed = [each["Records"][0] for each in received("t", 2) if "Records" in each]
    assert [each["eventName"] for each in removed] == ["ObjectRemoved:Delete"]
    assert "size" not in removed[0]["s3"]["object"]
    for url in urls.values():
        boto.call("sqs", "DeleteQueue", QueueUrl=url)
    boto.call("sns", "DeleteTopic", TopicArn=topic)


def test_targets_are_looked_at_before_they_are_taken(boto, make_bucket):
    """ARNs that are none, targets that are not there, filters that overlap."""
    bucket = make_bucket()
    missing = ARN.format("lambda") + "function:not-there"
    cases = {
        "The ARN could not be parsed": [function_told("arn:aws:lambda")],
        "Unable to validate the following destination configurations": [function_told(missing)],
        "Configurations overlap": [
            function_told(missing),
            function_told(missing, ["s3:ObjectCreated:Put"]),
        ],
        "The event is not supported": [function_told(missing, ["s3:Nothing"])],
        "filter rule name must be": [function_told(missing, color="red")],
    }
    for text, configurations in cases.items():
        with pytest.raises(ApiError) as caught:
            tell(boto, bucket, LambdaFunctionConfigurations=configurations)
        assert caught.value.code == "InvalidArgument"
        assert text in caught.value.message


def test_code_of_functions_and_layers_comes_from_a_bucket(boto, make_function, make_bucket):
    """Create, update and layers; the version that is named; S3's error if it is not there."""
    bucket = make_bucket()

    def put(key, text):
        body = make_zip(lambda_function=f"def lambda_handler(event, context):\n    return {text!r}")
        boto.call("s3", "PutObject", Bucket=bucket, Key=key, Body=body)

    put("one.zip", "one")
    put("two.zip", "two")
    name = make_function("", Code={"S3Bucket": bucket, "S3Key": "one.zip"})
    assert boto.invoke(name).json() == "one"
    boto.call("lambda", "UpdateFunctionCode", FunctionName=name, S3Bucket=bucket, S3Key="two.zip")
    boto.wait("lambda", "FunctionUpdatedV2", FunctionName=name)
    assert boto.invoke(name).json() == "two"
    layer = boto.call(
        "lambda",
        "PublishLayerVersion",
        LayerName=f"from-{bucket}",
        Content={"S3Bucket": bucket, "S3Key": "one.zip"},
    )
    assert layer["Version"] == 1
    with pytest.raises(ApiError) as caught:
        boto.call("lambda", "UpdateFunctionCode", FunctionName=name, S3Bucket=bucket, S3Key="no")
    assert caught.value.code == "InvalidParameterValueException"
    assert "S3 Error Code: NoSuchKey" in caught.value.message


def test_a_bucket_is_told_of_failures(boto, make_function, make_bucket):
    """As the destination of asynchronous invocations that fail, under Lambda's key."""
    bucket = make_bucket()
    name = make_function("def lambda_handler(event, context):\n    raise ValueError(event)")
    boto.call(
        "lambda",
        "PutFunctionEventInvokeConfig",
        FunctionName=name,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
    )
    boto.invoke(name, b'"sad"', InvocationType="Event")
    (found,) = eventually(lambda: boto.call("s3", "ListObjectsV2", Bucket=bucket).get("Contents"))

    assert found["Key"].startswith(f"aws/lambda/async/{name}/")
    body = boto.client("s3").get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
    assert json.loads(body)["requestPayload"] == "sad"


def test_the_default_bus_hears_of_a_bucket(boto, make_bucket):
    """With EventBridge switched on, rules match what happens to its objects."""
    bucket = make_bucket()
    url = boto.call("sqs", "CreateQueue", QueueName=f"bus-{bucket}")["QueueUrl"]
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    boto.call("events", "PutRule", Name=bucket, EventPattern=json.dumps(pattern))
    queue = {"Id": "q", "Arn": f"{ARN.format('sqs')}bus-{bucket}"}
    boto.call("events", "PutTargets", Rule=bucket, Targets=[queue])
    tell(boto, bucket, EventBridgeConfiguration={})

    boto.call("s3", "PutObject", Bucket=bucket, Key="a b.txt", Body=b"four")

    got = boto.call("sqs", "ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    event = json.loads(got[0]["Body"])
    boto.call("events", "RemoveTargets", Rule=bucket, Ids=["q"])
    boto.call("events", "DeleteRule", Name=bucket)
    boto.call("sqs", "DeleteQueue", QueueUrl=url)
    assert (event["detail-type"], event["account"]) == ("Object Created", ACCOUNT)
    assert event["resources"] == [f"arn:aws:s3:::{bucket}"]
    assert event["detail"]["object"]["key"] == "a b.txt"
    assert event["detail"]["object"]["size"] == 4
    assert event["detail"]["reason"] == "PutObject"
