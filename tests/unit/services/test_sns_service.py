"""Amazon SNS as its clients see it: topics, subscriptions, filters, deliveries."""

import asyncio
import base64
import json
from contextlib import AsyncExitStack

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from emberbox.clock import ManualClock
from emberbox.errors import CallerError, PlatformError
from emberbox.model.notification import Urls, text_to_sign
from emberbox.model.sns_retries import AWS_MANAGED, of_http
from emberbox.services.sns.service import SnsService
from emberbox.services.sns.signing import Signer
from emberbox.services.sns.web import WebPoster

ACCOUNT = "123456789012"
ARN = f"arn:aws:sns:us-east-1:{ACCOUNT}:"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"


class World:
    """Queues and functions that note what reaches them; `trouble` is raised instead."""

    def __init__(self):
        self.sent = []
        self.invoked = []
        self.trouble = {}
        self.closed = set()
        self.arrived = asyncio.Event()

    send_as = None

    async def send(self, arn, body, attributes, *, group_id=None, deduplication_id=None, trace=""):
        if self.send_as is not None:
            asked = {"group_id": group_id, "deduplication_id": deduplication_id}
            return await self.send_as(arn, body, attributes, **asked)
        self._check(arn)
        self.sent.append((arn, body, attributes, group_id, deduplication_id))
        self.arrived.set()
        return None

    async def invoke(self, arn, payload, *, trace=""):
        self._check(arn)
        self.invoked.append((arn, json.loads(payload)))
        self.arrived.set()

    async def may(self, topic, endpoint):
        return (topic, endpoint) not in self.closed

    def _check(self, arn):
        if arn in self.trouble:
            raise self.trouble[arn]

    async def until(self, count):
        """Until so many things have arrived."""
        async with asyncio.timeout(60):
            while len(self.sent) + len(self.invoked) < count:
                self.arrived.clear()
                await self.arrived.wait()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def signer(tmp_path_factory, clock):
    return Signer(tmp_path_factory.getbasetemp() / "sns.pem", clock.now(), b"a password")


@pytest.fixture
async def world():
    return World()


@pytest.fixture
async def start(tmp_path, clock, signer, world):
    """Starts the service over the same file, delivering or not."""
    stacks = []

    async def start(*, deliver=True):
        stack = AsyncExitStack()
        stacks.append(stack)
        urls = Urls("http://127.0.0.1:4566", lambda: "http://127.0.0.1:4566/cert.pem")
        service = await SnsService.start(tmp_path / "topics.db", clock, signer, urls, stack)
        if deliver:
            await service.open(
                world.send,
                world.invoke,
                world.may,
                lambda *_counted: None,
                WebPoster(everywhere=True),
                stack,
            )
        return service

    async def stop():
        await stacks.pop().aclose()

    start.stop = stop
    yield start
    for stack in stacks:
        await stack.aclose()


@pytest.fixture
async def sns(start, caller):
    return caller(await start())


async def make(sns, name="t", **attributes):
    return (await sns("CreateTopic", Name=name, Attributes=attributes))["TopicArn"]


async def subscribe(sns, topic, protocol="sqs", endpoint=QUEUE, **attributes):
    answer = await sns(
        "Subscribe", TopicArn=topic, Protocol=protocol, Endpoint=endpoint, Attributes=attributes
    )
    return answer["SubscriptionArn"]


async def test_a_topic_is_there_until_it_is_deleted(sns):
    """CreateTopic may be repeated; other attributes are refused; deletion takes subscriptions."""
    topic = await make(sns, DisplayName="d")
    assert topic == ARN + "t"
    assert await make(sns, DisplayName="d") == topic
    refused = await sns.refused("CreateTopic", Name="t", Attributes={"DisplayName": "other"})
    assert refused[0] == "InvalidParameter"
    assert await sns("ListTopics") == {"Topics": [{"TopicArn": topic}]}
    await subscribe(sns, topic)
    shown = (await sns("GetTopicAttributes", TopicArn=topic))["Attributes"]
    assert (shown["Owner"], shown["SubscriptionsConfirmed"]) == (ACCOUNT, "1")
    await sns("DeleteTopic", TopicArn=topic)
    await sns("DeleteTopic", TopicArn=topic)
    assert await sns("ListSubscriptions") == {"Subscriptions": []}
    assert (await sns.refused("GetTopicAttributes", TopicArn=topic))[:2] == ("NotFound", 404)


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("a b", {}),
        ("t.fifo", {}),
        ("t", {"FifoTopic": "true"}),
        ("t", {"Colour": "red"}),
        ("t", {"Policy": "nonsense"}),
        ("t", {"SignatureVersion": "3"}),
        ("t", {"KmsMasterKeyId": "alias/mine"}),
        ("t", {"LambdaSuccessFeedbackRoleArn": "arn:aws:iam::1:role/r"}),
        ("t", {"DeliveryPolicy": '{"http": {"defaultHealthyRetryPolicy": {"numRetries": 101}}}'}),
    ],
)
async def test_a_topic_that_cannot_be_is_refused(sns, name, attributes):
    """Also what would be stored and then ignored."""
    refused = await sns.refused("CreateTopic", Name=name, Attributes=attributes)
    assert refused[:2] == ("InvalidParameter", 400)


@pytest.mark.parametrize(
    ("protocol", "endpoint", "attributes"),
    [
        ("pigeon", "x", {}),
        ("sms", "+41", {}),
        ("sqs", "q", {}),
        ("sqs", QUEUE + ".fifo", {}),
        ("lambda", "f", {}),
        ("http", "https://x", {}),
        ("email", "nobody", {}),
        ("lambda", FUNCTION, {"RawMessageDelivery": "true"}),
        ("sqs", QUEUE, {"FilterPolicy": '{"a": "b"}'}),
        ("sqs", QUEUE, {"FilterPolicy": '{"a": {"b": ["c"]}}'}),
        ("sqs", QUEUE, {"FilterPolicy": json.dumps({str(n): ["x"] for n in range(6)})}),
        ("sqs", QUEUE, {"RedrivePolicy": '{"deadLetterTargetArn": "x"}'}),
        ("sqs", QUEUE, {"Colour": "red"}),
        ("http", "http://x/", {"DeliveryPolicy": '{"requestPolicy": "x"}'}),
        (
            "http",
            "http://x/",
            {"DeliveryPolicy": '{"requestPolicy": {"headerContentType": "a\\r\\nb: c"}}'},
        ),
    ],
)
async def test_a_subscription_that_cannot_be_is_refused(sns, protocol, endpoint, attributes):
    """Protocols, endpoints and attributes obey the rules of the service."""
    topic = await make(sns)
    refused = await sns.refused(
        "Subscribe",
        TopicArn=topic,
        Protocol=protocol,
        Endpoint=endpoint,
        Attributes=attributes,
    )
    assert refused[:2] == ("InvalidParameter", 400)


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_queue_gets_the_notification_signed(sns, world, signer, version):
    """With the members of the service, and a signature that our certificate verifies."""
    topic = await make(sns, SignatureVersion=version)
    arn = await subscribe(sns, topic)
    attributes = {"n": {"DataType": "Number", "StringValue": "1"}}
    published = await sns(
        "Publish", TopicArn=topic, Message="hi", Subject="s", MessageAttributes=attributes
    )
    await world.until(1)
    ((queue, body, sent_attributes, _, _),) = world.sent
    message = json.loads(body)
    assert (queue, sent_attributes) == (QUEUE, {})
    signature = message.pop("Signature")
    assert message == {
        "Type": "Notification",
        "MessageId": published["MessageId"],
        "TopicArn": topic,
        "Subject": "s",
        "Message": "hi",
        "Timestamp": "2023-11-14T22:13:20.000Z",
        "SignatureVersion": version,
        "SigningCertURL": "http://127.0.0.1:4566/cert.pem",
        "UnsubscribeURL": "http://127.0.0.1:4566/?Action=Unsubscribe&SubscriptionArn="
        + arn.replace(":", "%3A")
        + "&Version=2010-03-31",
        "MessageAttributes": {"n": {"Type": "Number", "Value": "1"}},
    }
    key = x509.load_pem_x509_certificate(signer.certificate).public_key()
    digest = hashes.SHA1() if version == "1" else hashes.SHA256()
    key.verify(base64.b64decode(signature), text_to_sign(message), padding.PKCS1v15(), digest)


async def test_raw_delivery_gives_the_message_and_its_attributes(sns, world):
    """Nothing is wrapped around it."""
    topic = await make(sns)
    await subscribe(sns, topic, RawMessageDelivery="true")
    attributes = {"n": {"DataType": "Number", "StringValue": "1"}}
    await sns("Publish", TopicArn=topic, Message="hi", MessageAttributes=attributes)
    await world.until(1)
    assert world.sent == [(QUEUE, "hi", attributes, None, None)]


async def test_a_function_gets_the_record_of_the_service(sns, world):
    """Its spelling differs from that of queues."""
    topic = await make(sns)
    arn = await subscribe(sns, topic, "lambda", FUNCTION)
    await sns("Publish", TopicArn=topic, Message="hi")
    await world.until(1)
    ((function, event),) = world.invoked
    (record,) = event["Records"]
    assert function == FUNCTION
    assert (record["EventSource"], record["EventSubscriptionArn"]) == ("aws:sns", arn)
    assert record["Sns"]["Subject"] is None
    assert record["Sns"]["SigningCertUrl"]
    assert record["Sns"]["UnsubscribeUrl"]


async def test_each_protocol_gets_its_own_text(sns, world):
    """MessageStructure json, with a default."""
    topic = await make(sns)
    await subscribe(sns, topic, RawMessageDelivery="true")
    await subscribe(sns, topic, "lambda", FUNCTION)
    text = json.dumps({"default": "d", "sqs": "for queues"})
    await sns("Publish", TopicArn=topic, Message=text, MessageStructure="json")
    await world.until(2)
    assert world.sent[0][1] == "for queues"
    assert world.invoked[0][1]["Records"][0]["Sns"]["Message"] == "d"
    refused = await sns.refused(
        "Publish", TopicArn=topic, Message='{"sqs": "x"}', MessageStructure="json"
    )
    assert "No default entry" in refused[2]


async def test_filters_let_through_what_they_match(sns, world):
    """On attributes and on the body; each subscription gets its own."""
    topic = await make(sns)
    queues = {}
    for name, policy, scope in (
        ("red", {"colour": ["red"]}, "MessageAttributes"),
        ("big", {"size": [{"numeric": [">", 5]}]}, "MessageAttributes"),
        ("tagged", {"tags": ["x"]}, "MessageAttributes"),
        ("inner", {"a": {"b": [{"prefix": "c"}]}}, "MessageBody"),
    ):
        queues[QUEUE + name] = name
        await subscribe(
            sns,
            topic,
            endpoint=QUEUE + name,
            FilterPolicy=json.dumps(policy),
            FilterPolicyScope=scope,
            RawMessageDelivery="true",
        )

    def text(value, kind="String"):
        return {"DataType": kind, "StringValue": value}

    await sns("Publish", TopicArn=topic, Message="1", MessageAttributes={"colour": text("red")})
    await sns(
        "Publish", TopicArn=topic, Message="2", MessageAttributes={"size": text("6", "Number")}
    )
    await sns(
        "Publish",
        TopicArn=topic,
        Message="3",
        MessageAttributes={"tags": text('["y", "x"]', "String.Array")},
    )
    await sns("Publish", TopicArn=topic, Message='{"a": {"b": "cd"}}')
    await sns("Publish", TopicArn=topic, Message="nobody's")
    await world.until(4)
    got = {(queues[arn], body) for arn, body, *_ in world.sent}
    assert got == {("red", "1"), ("big", "2"), ("tagged", "3"), ("inner", '{"a": {"b": "cd"}}')}


async def test_what_was_published_is_delivered_after_a_restart(start, caller, world):
    """A message is on disk before it is answered."""
    sns = caller(await start(deliver=False))
    topic = await make(sns)
    await subscribe(sns, topic, RawMessageDelivery="true")
    await sns("Publish", TopicArn=topic, Message="kept")
    await start.stop()
    await start()
    await world.until(1)
    assert world.sent[0][1] == "kept"


async def test_what_cannot_be_delivered_becomes_a_dead_letter(sns, world):
    """At once if the endpoint is gone; with the reason on it."""
    topic = await make(sns)
    dead = json.dumps({"deadLetterTargetArn": QUEUE + "dead"})
    await subscribe(sns, topic, "lambda", FUNCTION, RedrivePolicy=dead)
    world.trouble[FUNCTION] = CallerError("ResourceNotFoundException", "gone", status=404)
    await sns("Publish", TopicArn=topic, Message="hi")
    await world.until(1)
    ((arn, body, attributes, _, _),) = world.sent
    assert arn == QUEUE + "dead"
    assert json.loads(body)["Message"] == "hi"
    assert attributes["ErrorCode"]["StringValue"] == "404"
    assert attributes["ErrorMessage"]["StringValue"] == "gone"


async def test_trouble_that_may_pass_is_tried_again(sns, world):
    """At once at first, and the message arrives once."""
    topic = await make(sns)
    await subscribe(sns, topic, RawMessageDelivery="true")
    tries = []

    def check(arn):
        tries.append(arn)
        if len(tries) < 3:
            raise PlatformError("busy")

    world._check = check
    await sns("Publish", TopicArn=topic, Message="hi")
    await world.until(1)
    assert (len(tries), len(world.sent)) == (3, 1)


async def test_a_fifo_topic_keeps_order_and_drops_duplicates(sns, world):
    """Groups and ids go on into the queue; sequence numbers grow."""
    topic = await make(sns, "t.fifo", FifoTopic="true", ContentBasedDeduplication="true")
    await subscribe(sns, topic, endpoint=QUEUE + ".fifo", RawMessageDelivery="true")
    numbers = []
    for text in ("1", "2", "2", "3"):
        answer = await sns("Publish", TopicArn=topic, Message=text, MessageGroupId="g")
        numbers.append(answer["SequenceNumber"])
    await world.until(3)
    assert [(body, group) for _, body, _, group, _ in world.sent] == [
        ("1", "g"),
        ("2", "g"),
        ("3", "g"),
    ]
    assert numbers == sorted(numbers)
    assert numbers[1] == numbers[2]
    refused = await sns.refused("Publish", TopicArn=topic, Message="x")
    assert "MessageGroupId" in refused[2]
    refused = await sns.refused("Subscribe", TopicArn=topic, Protocol="lambda", Endpoint=FUNCTION)
    assert refused[0] == "InvalidParameter"


async def test_a_topic_that_is_made_anew_knows_no_duplicates(sns, world):
    """What was published to one of its name before is nothing to it."""
    for _ in range(2):
        topic = await make(sns, "t.fifo", FifoTopic="true", ContentBasedDeduplication="true")
        await subscribe(sns, topic, endpoint=QUEUE + ".fifo", RawMessageDelivery="true")
        await sns("Publish", TopicArn=topic, Message="same", MessageGroupId="g")
        await world.until(1)
        await sns("DeleteTopic", TopicArn=topic)
    await world.until(2)

    assert [body for _, body, *_ in world.sent] == ["same", "same"]


async def test_a_fifo_topic_keeps_the_order_of_each_group_through_failures(sns, world):
    """Messages whose first tries fail hold back what comes after them; each arrives once."""
    topic = await make(sns, "t.fifo", FifoTopic="true", ContentBasedDeduplication="true")
    await subscribe(sns, topic, endpoint=QUEUE + ".fifo", RawMessageDelivery="true")
    failures = {f"{n}": n % 4 for n in range(24)}

    async def send(arn, body, attributes, *, group_id=None, deduplication_id=None, trace=""):
        if failures[body]:
            failures[body] -= 1
            raise PlatformError("busy")
        world.sent.append((group_id, int(body)))
        world.arrived.set()

    world.send_as = send
    for number in range(24):
        group = "abc"[number % 3]
        await sns("Publish", TopicArn=topic, Message=f"{number}", MessageGroupId=group)
    await world.until(24)
    assert sorted(number for _, number in world.sent) == list(range(24))
    for group in "abc":
        mine = [number for name, number in world.sent if name == group]
        assert mine == sorted(mine)


async def test_batches_are_published_entry_by_entry(sns, world):
    """Bad entries are told of, good ones go out."""
    topic = await make(sns)
    await subscribe(sns, topic, RawMessageDelivery="true")
    entries = [{"Id": "a", "Message": "1"}, {"Id": "b", "Message": "2", "Subject": "\n"}]
    answer = await sns("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [each["Id"] for each in answer["Successful"]] == ["a"]
    assert [each["Id"] for each in answer["Failed"]] == ["b"]
    for bad, code in (
        ([], "EmptyBatchRequest"),
        ([{"Id": "a", "Message": "1"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": str(n), "Message": "1"} for n in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": str(n), "Message": "x" * 150_000} for n in range(2)], "BatchRequestTooLong"),
    ):
        refused = await sns.refused("PublishBatch", TopicArn=topic, PublishBatchRequestEntries=bad)
        assert refused[0] == code
    await world.until(1)


async def test_e_mail_waits_for_a_confirmation_that_nobody_sends(sns, world):
    """It is pending, and nothing is delivered to it."""
    topic = await make(sns)
    answer = await sns("Subscribe", TopicArn=topic, Protocol="email", Endpoint="a@b.example")
    assert answer == {"SubscriptionArn": "pending confirmation"}
    (shown,) = (await sns("ListSubscriptionsByTopic", TopicArn=topic))["Subscriptions"]
    assert shown["SubscriptionArn"] == "PendingConfirmation"
    await subscribe(sns, topic, RawMessageDelivery="true")
    await sns("Publish", TopicArn=topic, Message="hi")
    await world.until(1)
    assert len(world.sent) == 1


async def test_attributes_of_subscriptions_are_changed_and_removed(sns):
    """A subscription may be repeated, and its filter taken away."""
    topic = await make(sns)
    arn = await subscribe(sns, topic, FilterPolicy='{"a": ["b"]}')
    assert await subscribe(sns, topic) == arn
    await sns(
        "SetSubscriptionAttributes",
        SubscriptionArn=arn,
        AttributeName="RawMessageDelivery",
        AttributeValue="true",
    )
    shown = (await sns("GetSubscriptionAttributes", SubscriptionArn=arn))["Attributes"]
    assert (shown["RawMessageDelivery"], shown["FilterPolicyScope"]) == (
        "true",
        "MessageAttributes",
    )
    await sns(
        "SetSubscriptionAttributes",
        SubscriptionArn=arn,
        AttributeName="FilterPolicy",
        AttributeValue="{}",
    )
    shown = (await sns("GetSubscriptionAttributes", SubscriptionArn=arn))["Attributes"]
    assert "FilterPolicy" not in shown
    await sns("Unsubscribe", SubscriptionArn=arn)
    assert (await sns.refused("GetSubscriptionAttributes", SubscriptionArn=arn))[0] == "NotFound"


async def test_tags_permissions_and_data_protection_are_kept(sns):
    """Each is shown as it was given; another account gets in by a permission."""
    topic = await make(sns)
    await sns("TagResource", ResourceArn=topic, Tags=[{"Key": "a", "Value": "1"}])
    assert (await sns("ListTagsForResource", ResourceArn=topic))["Tags"] == [
        {"Key": "a", "Value": "1"}
    ]
    await sns("UntagResource", ResourceArn=topic, TagKeys=["a"])
    assert (await sns("ListTagsForResource", ResourceArn=topic))["Tags"] == []
    await sns("PutDataProtectionPolicy", ResourceArn=topic, DataProtectionPolicy='{"Name": "p"}')
    kept = await sns("GetDataProtectionPolicy", ResourceArn=topic)
    assert kept == {"DataProtectionPolicy": '{"Name": "p"}'}
    other = sns.as_(account="999999999999")
    asked = {"TopicArn": topic, "Message": "x"}
    assert (await other.refused("Publish", **asked))[0] == "AuthorizationError"
    permission = {"Label": "l", "AWSAccountId": ["999999999999"], "ActionName": ["Publish"]}
    await sns("AddPermission", TopicArn=topic, **permission)
    await other("Publish", **asked)
    await sns("RemovePermission", TopicArn=topic, Label="l")
    assert (await other.refused("Publish", **asked))[0] == "AuthorizationError"


async def test_requests_for_one_subscription_that_come_at_once_make_one(sns):
    """Who asks for other attributes than the first is told of it."""
    topic = await make(sns)

    found = await asyncio.gather(*(subscribe(sns, topic) for _ in range(5)))
    other = f"{QUEUE}2"
    mixed = await asyncio.gather(
        subscribe(sns, topic, endpoint=other),
        subscribe(sns, topic, endpoint=other, RawMessageDelivery="true"),
        return_exceptions=True,
    )

    assert len(set(found)) == 1
    assert [type(each) for each in mixed] == [str, CallerError]
    assert len((await sns("ListSubscriptions"))["Subscriptions"]) == 2


async def test_changes_that_come_at_once_are_all_made(sns):
    """Of attributes of a subscription, and of tags and statements of a topic."""
    topic = await make(sns)
    arn = await subscribe(sns, topic)
    given = {"RawMessageDelivery": "true", "FilterPolicy": '{"a": ["b"]}'}
    await asyncio.gather(
        *(
            sns(
                "SetSubscriptionAttributes",
                SubscriptionArn=arn,
                AttributeName=name,
                AttributeValue=value,
            )
            for name, value in given.items()
        ),
        *(
            sns("TagResource", ResourceArn=topic, Tags=[{"Key": key, "Value": "v"}])
            for key in ("one", "two")
        ),
        *(
            sns(
                "AddPermission",
                TopicArn=topic,
                Label=label,
                AWSAccountId=["210987654321"],
                ActionName=["Publish"],
            )
            for label in ("three", "four")
        ),
    )

    attributes = (await sns("GetSubscriptionAttributes", SubscriptionArn=arn))["Attributes"]
    tags = (await sns("ListTagsForResource", ResourceArn=topic))["Tags"]
    policy = (await sns("GetTopicAttributes", TopicArn=topic))["Attributes"]["Policy"]
    assert given.items() <= attributes.items()
    assert {tag["Key"] for tag in tags} == {"one", "two"}
    assert {each["Sid"] for each in json.loads(policy)["Statement"]} >= {"three", "four"}


def test_queues_and_functions_are_tried_for_twenty_three_days():
    """100,015 retries: three at once, two after a second, ten ever slower, then every 20 s."""
    pauses = [AWS_MANAGED.pause_s(attempt) for attempt in range(1, 17)]
    assert pauses[:5] == [0, 0, 0, 1, 1]
    assert pauses[5:15] == sorted(pauses[5:15])
    assert pauses[14] == pytest.approx(20)
    assert AWS_MANAGED.pause_s(100_015) == 20
    assert AWS_MANAGED.pause_s(100_016) is None


@pytest.mark.parametrize("shape", ["linear", "arithmetic", "geometric", "exponential"])
def test_web_servers_are_tried_as_their_policy_says(shape):
    """The subscription's policy stands above the topic's; by default three times, 20 s apart."""
    default = of_http(None, None)
    assert [default.pause_s(n) for n in (1, 2, 3, 4)] == [20, 20, 20, None]
    policy = {
        "minDelayTarget": 1,
        "maxDelayTarget": 9,
        "numRetries": 6,
        "numNoDelayRetries": 1,
        "numMinDelayRetries": 1,
        "numMaxDelayRetries": 1,
        "backoffFunction": shape,
    }
    retries = of_http(None, json.dumps({"healthyRetryPolicy": policy}))
    pauses = [retries.pause_s(n) for n in range(1, 8)]
    assert pauses[:2] == [0, 1]
    assert pauses[2:5] == sorted(pauses[2:5])
    assert pauses[5:] == [9, None]


async def test_what_an_endpoints_policy_does_not_allow_is_not_delivered(sns, world):
    """The others get the message; where nothing is allowed it is given up."""
    topic = await make(sns)
    await subscribe(sns, topic)
    await subscribe(sns, topic, endpoint=QUEUE + "2")
    world.closed.add((topic, QUEUE))

    await sns("Publish", TopicArn=topic, Message="hello")
    await world.until(1)

    assert [arn for arn, *_ in world.sent] == [QUEUE + "2"]
