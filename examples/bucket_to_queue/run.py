"""A file goes into a bucket, two functions and a queue between them make its sum."""

import io
import time
import zipfile
from pathlib import Path

import boto3

ROLE = "arn:aws:iam::123456789012:role/example"
BUCKET, QUEUE = "example-numbers", "example-lines"
WAIT_S = 60

s3 = boto3.client("s3")
sqs = boto3.client("sqs")
functions = boto3.client("lambda")


def main():
    s3.create_bucket(Bucket=BUCKET)
    url = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    split, _ = deploy("split", {"QUEUE": QUEUE}), deploy("add", {})
    mapping = functions.create_event_source_mapping(
        FunctionName="example-add", EventSourceArn=queue["QueueArn"], BatchSize=10
    )
    try:
        functions.add_permission(
            FunctionName="example-split",
            StatementId="numbers",
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
            SourceArn=f"arn:aws:s3:::{BUCKET}",
        )
        rule = {"Name": "suffix", "Value": ".txt"}
        told = {
            "LambdaFunctionArn": split,
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [rule]}},
        }
        s3.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"LambdaFunctionConfigurations": [told]}
        )
        s3.put_object(Bucket=BUCKET, Key="1.txt", Body=b"\n".join(b"%d" % n for n in range(101)))
        print(wait_for("1.txt.sum").decode())
    finally:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])
        for name in ("example-split", "example-add"):
            functions.delete_function(FunctionName=name)
        sqs.delete_queue(QueueUrl=url)
        for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            s3.delete_object(Bucket=BUCKET, Key=each["Key"])
        s3.delete_bucket(Bucket=BUCKET)


def deploy(module, environment):
    """A function of a file beside this one: its ARN."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.write(Path(__file__).with_name(f"{module}.py"), f"{module}.py")
    made = functions.create_function(
        FunctionName=f"example-{module}",
        Runtime="python3.12",
        Role=ROLE,
        Handler=f"{module}.handler",
        Code={"ZipFile": code.getvalue()},
        Timeout=30,
        MemorySize=1769,
        Environment={"Variables": environment},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=made["FunctionName"])
    return made["FunctionArn"]


def wait_for(key):
    """The body of an object, once it is there."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            if time.monotonic() > deadline:
                raise SystemExit("no sum came") from None
            time.sleep(0.1)


if __name__ == "__main__":
    main()
