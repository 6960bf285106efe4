"""What the examples share: an application of functions, queues, topics, buckets and buses, removed
at its end.

Everything goes through boto3, and would run the same against AWS.
"""

import io
import json
import time
import zipfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import boto3

ROLE = "arn:aws:iam::123456789012:role/example"
WAIT_S = 90


class Application:
    """Makes what an example is made of. `folder` has the code of its functions."""

    def __init__(self, folder):
        self.sqs = boto3.client("sqs")
        self.sns = boto3.client("sns")
        self.s3 = boto3.client("s3")
        self.events = boto3.client("events")
        self.functions = boto3.client("lambda")
        self._folder = Path(folder)
        self._made = ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._made.close()

    def function(self, name, module, environment=None, timeout=10, concurrency=1, **settings):
        """Deploy `module`.py with its `handler`; the function's ARN.

        It runs `concurrency` times at once, so that a small machine is not flooded by first starts.
        """
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.write(self._folder / f"{module}.py", f"{module}.py")
        made = self.functions.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=ROLE,
            Handler=f"{module}.handler",
            Code={"ZipFile": code.getvalue()},
            Timeout=timeout,
            MemorySize=1769,
            Environment={"Variables": environment or {}},
            **settings,
        )
        self._made.callback(self.functions.delete_function, FunctionName=name)
        self.functions.get_waiter("function_active_v2").wait(FunctionName=name)
        self.functions.put_function_concurrency(
            FunctionName=name, ReservedConcurrentExecutions=concurrency
        )
        return made["FunctionArn"]

    def replace(self, name, source):
        """Give a function other code, as text."""
        module = self.functions.get_function_configuration(FunctionName=name)["Handler"]
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr(f"{module.partition('.')[0]}.py", source)
        self.functions.update_function_code(FunctionName=name, ZipFile=code.getvalue())
        self.functions.get_waiter("function_updated_v2").wait(FunctionName=name)

    def queue(self, name, dead_letters=None, after=1, **attributes):
        """A queue: its URL. `dead_letters` is the queue for messages received `after` times."""
        if dead_letters is not None:
            policy = {"deadLetterTargetArn": self.arn(dead_letters), "maxReceiveCount": after}
            attributes["RedrivePolicy"] = json.dumps(policy)
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        self._made.callback(self.sqs.delete_queue, QueueUrl=url)
        return url

    def arn(self, url):
        """The ARN of a queue."""
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return found["Attributes"]["QueueArn"]

    def topic(self, name):
        """A topic: its ARN."""
        arn = self.sns.create_topic(Name=name)["TopicArn"]
        self._made.callback(self.sns.delete_topic, TopicArn=arn)
        return arn

    def subscribe(self, topic, protocol, endpoint, **attributes):
        """Let a function or a queue hear what is published."""
        self.sns.subscribe(
            TopicArn=topic, Protocol=protocol, Endpoint=endpoint, Attributes=attributes
        )

    def feed(self, name, url, **settings):
        """Feed a function from a queue."""
        mapping = self.functions.create_event_source_mapping(
            FunctionName=name, EventSourceArn=self.arn(url), **settings
        )
        delete = partial(self.functions.delete_event_source_mapping, UUID=mapping["UUID"])
        self._made.callback(delete)

    def send(self, url, *bodies, **more):
        """Send messages, ten at a time."""
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(n), "MessageBody": body, **more}
                for n, body in enumerate(bodies[start : start + 10])
            ]
            self.sqs.send_message_batch(QueueUrl=url, Entries=entries)

    def read(self, url, count):
        """The next `count` messages of a queue, deleted as they come."""
        found = []
        end = time.monotonic() + WAIT_S
        while len(found) < count and time.monotonic() < end:
            got = self.sqs.receive_message(
                QueueUrl=url,
                WaitTimeSeconds=5,
                MaxNumberOfMessages=10,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            for message in got:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found += got
        return found

    def bodies(self, url, count):
        """The same, only what the messages say."""
        return [message["Body"] for message in self.read(url, count)]

    def bucket(self, name):
        """A bucket; what is in it at the end goes with it."""
        self.s3.create_bucket(Bucket=name)
        self._made.callback(self.s3.delete_bucket, Bucket=name)
        self._made.callback(self._empty, name)

    def keys(self, bucket):
        """What is in a bucket."""
        found = self.s3.list_objects_v2(Bucket=bucket)
        return [each["Key"] for each in found.get("Contents", [])]

    def _empty(self, bucket):
        for key in self.keys(bucket):
            self.s3.delete_object(Bucket=bucket, Key=key)

    def bus(self, name):
        """An event bus: its ARN."""
        arn = self.events.create_event_bus(Name=name)["EventBusArn"]
        self._made.callback(self.events.delete_event_bus, Name=name)
        return arn

    def rule(self, name, bus, pattern, **target):
        """A rule of a bus with one target, which it may invoke if it is a function."""
        put = self.events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
        self._made.callback(self.events.delete_rule, Name=name, EventBusName=bus)
        self.events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "1", **target}])
        self._made.callback(self.events.remove_targets, Rule=name, EventBusName=bus, Ids=["1"])
        if ":function:" in target["Arn"]:
            self.functions.add_permission(
                FunctionName=target["Arn"],
                StatementId=name,
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
                SourceArn=put["RuleArn"],
            )

    def tell(self, bus, source, kind, *details):
        """Put events on a bus."""
        for detail in details:
            entry = {
                "EventBusName": bus,
                "Source": source,
                "DetailType": kind,
                "Detail": json.dumps(detail),
            }
            self.events.put_events(Entries=[entry])

    def until(self, holds):
        """Wait until something holds."""
        end = time.monotonic() + WAIT_S
        while not holds():
            if time.monotonic() > end:
                raise SystemExit("it did not come true")
            time.sleep(0.1)
