"""Amazon SQS as its clients see it: queues, sending, receiving."""

import asyncio
import hashlib
import json
from contextlib import AsyncExitStack

import pytest

from emberbox.clock import ManualClock
from emberbox.services.sqs.service import SqsService

ACCOUNT = "123456789012"
OTHER = "999999999999"
URL = f"http://127.0.0.1:4566/{ACCOUNT}/"
ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def start(tmp_path, clock):
    """Starts the service over the same file; may be stopped and started again."""
    stacks = []

    async def start():
        stacks.append(AsyncExitStack())
        return await SqsService.start(tmp_path / "queues.db", clock, stacks[-1])

    async def stop():
        await stacks.pop().aclose()

    start.stop = stop
    yield start
    for stack in stacks:
        await stack.aclose()


@pytest.fixture
async def sqs(start, caller):
    return caller(await start())


async def make(sqs, name="q", **attributes):
    return (await sqs("CreateQueue", QueueName=name, Attributes=attributes))["QueueUrl"]


async def send(sqs, url, body="hello", **more):
    return await sqs("SendMessage", QueueUrl=url, MessageBody=body, **more)


async def receive(sqs, url, **more):
    asked = {"MaxNumberOfMessages": 10, "AttributeNames": ["All"]} | more
    return (await sqs("ReceiveMessage", QueueUrl=url, **asked)).get("Messages", [])


def bodies(messages):
    return [message["Body"] for message in messages]


async def delete(sqs, url, message):
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


async def make_fifo(sqs, name="q.fifo", **attributes):
    return await make(sqs, name, FifoQueue="true", **attributes)


async def send_fifo(sqs, url, body, group="g", **more):
    asked = {"MessageDeduplicationId": body} | more
    return await send(sqs, url, body, MessageGroupId=group, **asked)


async def test_a_queue_is_found_by_name_and_url_and_gone_after_its_deletion(sqs):
    """CreateQueue, GetQueueUrl, ListQueues and DeleteQueue agree."""
    url = await make(sqs)
    assert url == URL + "q"
    assert await sqs("GetQueueUrl", QueueName="q") == {"QueueUrl": url}
    assert await sqs("ListQueues", QueueNamePrefix="q") == {"QueueUrls": [url]}
    await sqs("DeleteQueue", QueueUrl=url)
    assert await sqs("ListQueues") == {}
    assert await sqs.refused("GetQueueUrl", QueueName="q") == (
        "QueueDoesNotExist",
        400,
        "The specified queue does not exist.",
    )


async def test_queues_are_listed_in_pages(sqs):
    """MaxResults and NextToken walk through all queues once."""
    for number in range(5):
        await make(sqs, f"q{number}")
    seen, token = [], {}
    while True:
        page = await sqs("ListQueues", MaxResults=2, **token)
        seen += page["QueueUrls"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == [f"{URL}q{number}" for number in range(5)]


async def test_creating_a_queue_again_is_fine_unless_it_asks_for_something_else(sqs):
    """The same attributes give the same queue; others are refused."""
    url = await make(sqs, VisibilityTimeout="10")
    assert await make(sqs) == url
    assert await make(sqs, VisibilityTimeout="10") == url
    code, _, message = await sqs.refused(
        "CreateQueue", QueueName="q", Attributes={"VisibilityTimeout": "11"}
    )
    assert code == "QueueNameExists"
    assert "VisibilityTimeout" in message


@pytest.mark.parametrize(
    ("name", "attributes", "code"),
    [
        ("a b", {}, "InvalidParameterValue"),
        ("x" * 81, {}, "InvalidParameterValue"),
        ("q.fifo", {}, "InvalidParameterValue"),
        ("q", {"FifoQueue": "true"}, "InvalidParameterValue"),
        ("q", {"FifoQueue": "false"}, "InvalidAttributeName"),
        ("q", {"Colour": "red"}, "InvalidAttributeName"),
        ("q", {"ContentBasedDeduplication": "true"}, "InvalidAttributeName"),
        ("q", {"VisibilityTimeout": "43201"}, "InvalidAttributeValue"),
        ("q", {"DelaySeconds": "-1"}, "InvalidAttributeValue"),
        ("q", {"MaximumMessageSize": "1023"}, "InvalidAttributeValue"),
        ("q", {"MessageRetentionPeriod": "59"}, "InvalidAttributeValue"),
        ("q", {"ReceiveMessageWaitTimeSeconds": "21"}, "InvalidAttributeValue"),
        ("q", {"Policy": "nonsense"}, "InvalidAttributeValue"),
        ("q", {"KmsMasterKeyId": "alias/mine"}, "InvalidAttributeValue"),
        ("q", {"RedrivePolicy": "[]"}, "InvalidParameterValue"),
        ("q", {"RedrivePolicy": '{"maxReceiveCount": 3}'}, "InvalidParameterValue"),
        (
            "q",
            {"RedrivePolicy": f'{{"maxReceiveCount": 3, "deadLetterTargetArn": "{ARN}no"}}'},
            "InvalidParameterValue",
        ),
        ("q", {"RedriveAllowPolicy": '{"redrivePermission": "byQueue"}'}, "InvalidParameterValue"),
    ],
)
async def test_a_queue_that_cannot_be_is_refused(sqs, name, attributes, code):
    """Names and attributes obey the rules of the service."""
    refused = await sqs.refused("CreateQueue", QueueName=name, Attributes=attributes)
    assert refused[0] == code


async def test_attributes_are_as_set_and_counts_as_they_are(sqs, clock):
    """GetQueueAttributes shows defaults, settings and where the messages are."""
    url = await make(sqs, VisibilityTimeout="10")
    await send(sqs, url, "1")
    await send(sqs, url, "2")
    await send(sqs, url, "3", DelaySeconds=60)
    await receive(sqs, url, MaxNumberOfMessages=1)
    shown = (await sqs("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"]))["Attributes"]
    assert shown == {
        "VisibilityTimeout": "10",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "DelaySeconds": "0",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
        "QueueArn": ARN + "q",
        "CreatedTimestamp": "1700000000",
        "LastModifiedTimestamp": "1700000000",
        "ApproximateNumberOfMessages": "1",
        "ApproximateNumberOfMessagesNotVisible": "1",
        "ApproximateNumberOfMessagesDelayed": "1",
    }
    await sqs("SetQueueAttributes", QueueUrl=url, Attributes={"VisibilityTimeout": "11"})
    some = await sqs("GetQueueAttributes", QueueUrl=url, AttributeNames=["VisibilityTimeout"])
    assert some == {"Attributes": {"VisibilityTimeout": "11"}}
    assert await sqs("GetQueueAttributes", QueueUrl=url) == {}


async def test_a_message_arrives_with_its_checksums_and_attributes(sqs):
    """The MD5s are those that SDKs verify; attributes come when they are asked for."""
    url = await make(sqs)
    attributes = {
        "city": {"DataType": "String", "StringValue": "Zürich"},
        "raw": {"DataType": "Binary.png", "BinaryValue": b"\x00\xff"},
        "size": {"DataType": "Number", "StringValue": "12.5"},
    }
    sent = await send(sqs, url, "héllo", MessageAttributes=attributes)
    assert sent["MD5OfMessageBody"] == hashlib.md5("héllo".encode()).hexdigest()
    (got,) = await receive(sqs, url, MessageAttributeNames=["All"], VisibilityTimeout=0)
    assert got["MessageAttributes"] == attributes
    assert got["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert got["MessageId"] == sent["MessageId"]
    assert got["Attributes"] == {
        "SenderId": ACCOUNT,
        "SentTimestamp": "1700000000000",
        "ApproximateReceiveCount": "1",
        "ApproximateFirstReceiveTimestamp": "1700000000000",
    }
    (some,) = await receive(sqs, url, MessageAttributeNames=["ci.*"])
    assert some["MessageAttributes"].keys() == {"city"}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"MessageBody": ""}, "MissingParameter"),
        ({"MessageBody": "\x00"}, "InvalidMessageContents"),
        ({"MessageBody": "x" * 1_048_577}, "InvalidParameterValue"),
        ({"DelaySeconds": 901}, "InvalidParameterValue"),
        ({"MessageDeduplicationId": "d"}, "InvalidParameterValue"),
        ({"MessageGroupId": ""}, "InvalidParameterValue"),
        (
            {"MessageAttributes": {"n": {"DataType": "Number", "StringValue": "x"}}},
            "InvalidParameterValue",
        ),
        (
            {"MessageAttributes": {"aws.x": {"DataType": "String", "StringValue": "x"}}},
            "InvalidParameterValue",
        ),
        (
            {"MessageAttributes": {"n": {"DataType": "Thing", "StringValue": "x"}}},
            "InvalidParameterValue",
        ),
        (
            {"MessageAttributes": {"n": {"DataType": "String", "StringValue": ""}}},
            "InvalidParameterValue",
        ),
        (
            {"MessageAttributes": {"n": {"DataType": "String", "StringListValues": ["x"]}}},
            "UnsupportedOperation",
        ),
    ],
)
async def test_a_message_that_cannot_be_is_refused(sqs, more, code):
    """Bodies, attributes and delays obey the rules of the service."""
    url = await make(sqs)
    refused = await sqs.refused("SendMessage", **({"QueueUrl": url, "MessageBody": "x"} | more))
    assert refused[0] == code


async def test_a_received_message_is_invisible_until_its_time_is_over(sqs, clock):
    """Visibility ends after the time-out, at once by request, or never by deletion."""
    url = await make(sqs)
    await send(sqs, url)
    (first,) = await receive(sqs, url)
    assert await receive(sqs, url) == []
    clock.advance(30)
    (second,) = await receive(sqs, url)
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    await sqs(
        "ChangeMessageVisibility",
        QueueUrl=url,
        ReceiptHandle=second["ReceiptHandle"],
        VisibilityTimeout=0,
    )
    (third,) = await receive(sqs, url)
    await delete(sqs, url, third)
    await delete(sqs, url, third)
    clock.advance(1_000)
    assert await receive(sqs, url) == []


async def test_an_old_receipt_does_not_delete_what_another_has_received_since(sqs, clock):
    """Only the last receive of a message can delete it."""
    url = await make(sqs)
    await send(sqs, url)
    (first,) = await receive(sqs, url)
    clock.advance(30)
    await receive(sqs, url)
    await delete(sqs, url, first)
    clock.advance(30)
    assert len(await receive(sqs, url)) == 1


async def test_receipts_of_other_queues_and_of_nobody_are_refused(sqs):
    """A handle is good for one queue only."""
    url, other = await make(sqs), await make(sqs, "other")
    await send(sqs, url)
    (message,) = await receive(sqs, url)
    for handle in (message["ReceiptHandle"], "nonsense", "MTox", "é"):
        refused = await sqs.refused("DeleteMessage", QueueUrl=other, ReceiptHandle=handle)
        assert refused[0] == "ReceiptHandleIsInvalid"


async def test_visibility_of_a_message_that_is_not_in_flight_cannot_be_changed(sqs, clock):
    """Nor can it last for more than twelve hours in all."""
    url = await make(sqs)
    await send(sqs, url)
    (message,) = await receive(sqs, url)
    change = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
    clock.advance(10)
    refused = await sqs.refused("ChangeMessageVisibility", VisibilityTimeout=43_200, **change)
    assert "beyond the limit" in refused[2]
    clock.advance(20)
    refused = await sqs.refused("ChangeMessageVisibility", VisibilityTimeout=5, **change)
    assert refused[0] == "MessageNotInflight"


async def test_delayed_messages_come_when_their_time_has_come(sqs, clock):
    """The message's own delay stands above the queue's."""
    url = await make(sqs, DelaySeconds="5")
    await send(sqs, url, "late")
    await send(sqs, url, "now", DelaySeconds=0)
    assert bodies(await receive(sqs, url)) == ["now"]
    clock.advance(5)
    assert bodies(await receive(sqs, url)) == ["late"]


async def test_batches_succeed_and_fail_entry_by_entry(sqs):
    """Good entries are served beside bad ones; a bad batch is refused as a whole."""
    url = await make(sqs)
    entries = [{"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "\x01"}]
    answer = await sqs("SendMessageBatch", QueueUrl=url, Entries=entries)
    assert [e["Id"] for e in answer["Successful"]] == ["a"]
    assert [(e["Id"], e["Code"], e["SenderFault"]) for e in answer["Failed"]] == [
        ("b", "InvalidMessageContents", True)
    ]
    (message,) = await receive(sqs, url)
    handles = [("x", message["ReceiptHandle"]), ("y", "nonsense")]
    gone = await sqs(
        "DeleteMessageBatch",
        QueueUrl=url,
        Entries=[{"Id": i, "ReceiptHandle": handle} for i, handle in handles],
    )
    assert gone["Successful"] == [{"Id": "x"}]
    assert gone["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"
    for entries, code in (
        ([], "EmptyBatchRequest"),
        ([{"Id": "a", "MessageBody": "1"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": str(n), "MessageBody": "1"} for n in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a b", "MessageBody": "1"}], "InvalidBatchEntryId"),
        ([{"Id": str(n), "MessageBody": "x" * 600_000} for n in range(2)], "BatchRequestTooLong"),
    ):
        refused = await sqs.refused("SendMessageBatch", QueueUrl=url, Entries=entries)
        assert refused[0] == code


async def test_a_receiver_that_waits_gets_a_message_as_it_is_sent(sqs):
    """Long polling ends with the arrival."""
    url = await make(sqs)
    waiting = asyncio.create_task(receive(sqs, url, WaitTimeSeconds=20))
    other = asyncio.create_task(receive(sqs, url, WaitTimeSeconds=20))
    await asyncio.sleep(0)
    await send(sqs, url, "1")
    done, _ = await asyncio.wait({waiting, other}, return_when=asyncio.FIRST_COMPLETED)
    assert [bodies(task.result()) for task in done] == [["1"]]
    await send(sqs, url, "2")
    assert sorted(bodies(await waiting) + bodies(await other)) == ["1", "2"]


async def test_a_receiver_that_waits_hears_of_messages_that_come_back(sqs):
    """A visibility set to zero wakes receivers, and so does the deletion of the queue."""
    url = await make(sqs)
    await send(sqs, url, "1")
    (message,) = await receive(sqs, url)
    waiting = asyncio.create_task(receive(sqs, url, WaitTimeSeconds=20))
    await asyncio.sleep(0)
    await sqs(
        "ChangeMessageVisibility",
        QueueUrl=url,
        ReceiptHandle=message["ReceiptHandle"],
        VisibilityTimeout=0,
    )
    assert bodies(await waiting) == ["1"]
    waiting = asyncio.create_task(sqs.refused("ReceiveMessage", QueueUrl=url, WaitTimeSeconds=20))
    await asyncio.sleep(0)
    await sqs("DeleteQueue", QueueUrl=url)
    assert (await waiting)[0] == "QueueDoesNotExist"


async def test_a_receiver_that_gives_up_leaves_its_turn_to_the_next(sqs):
    """A message is not stuck behind a receiver that was cancelled as it was woken."""
    url = await make(sqs)
    first = asyncio.create_task(receive(sqs, url, WaitTimeSeconds=20))
    second = asyncio.create_task(receive(sqs, url, WaitTimeSeconds=20))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    await send(sqs, url, "1")
    assert bodies(await second) == ["1"]


async def test_messages_survive_the_server(sqs, start, caller, clock):
    """What was sent is there after a restart, what was in flight comes back in its time."""
    url = await make(sqs)
    await send(sqs, url, "1")
    await send(sqs, url, "2")
    await receive(sqs, url, MaxNumberOfMessages=1)
    await start.stop()
    sqs = caller(await start())
    assert bodies(await receive(sqs, url)) == ["2"]
    clock.advance(30)
    assert sorted(bodies(await receive(sqs, url))) == ["1", "2"]


async def test_messages_go_when_they_are_too_old(sqs, clock):
    """A message is not received after the retention period, swept or not."""
    url = await make(sqs, MessageRetentionPeriod="60")
    await send(sqs, url)
    clock.advance(60)
    assert await receive(sqs, url) == []


async def test_purge_removes_what_is_there_once_a_minute(sqs, clock):
    """Messages sent later stay."""
    url = await make(sqs)
    for number in range(3):
        await send(sqs, url, str(number))
    await sqs("PurgeQueue", QueueUrl=url)
    assert await receive(sqs, url) == []
    assert (await sqs.refused("PurgeQueue", QueueUrl=url))[0] == "PurgeQueueInProgress"
    await send(sqs, url, "later")
    assert bodies(await receive(sqs, url)) == ["later"]


async def test_a_message_received_too_often_becomes_a_dead_letter(sqs, clock):
    """It moves at the receive after the last allowed one, its origin on it, and is counted on."""
    dead = await make(sqs, "dead")
    policy = json.dumps({"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": "2"})
    url = await make(sqs, RedrivePolicy=policy, VisibilityTimeout="1")
    await send(sqs, url, "poison")
    assert await sqs("ListDeadLetterSourceQueues", QueueUrl=dead) == {"queueUrls": [url]}
    for _ in range(2):
        assert bodies(await receive(sqs, url)) == ["poison"]
        clock.advance(1)
    assert await receive(sqs, url) == []
    (letter,) = await receive(sqs, dead)
    assert letter["Attributes"]["DeadLetterQueueSourceArn"] == ARN + "q"
    assert letter["Attributes"]["ApproximateReceiveCount"] == "3"


async def test_a_receiver_of_the_dead_letter_queue_hears_of_dead_letters(sqs, clock):
    """Long polling on it ends with the letter's arrival."""
    dead = await make(sqs, "dead")
    policy = json.dumps({"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": 1})
    url = await make(sqs, RedrivePolicy=policy, VisibilityTimeout="0")
    await send(sqs, url, "poison")
    await receive(sqs, url)
    waiting = asyncio.create_task(receive(sqs, dead, WaitTimeSeconds=20))
    await asyncio.sleep(0)
    assert await receive(sqs, url) == []
    assert bodies(await waiting) == ["poison"]


async def test_dead_letters_are_moved_back(sqs):
    """A move task brings them to where they came from, as new messages."""
    await make(sqs, "dead")
    policy = json.dumps({"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": 1})
    url = await make(sqs, RedrivePolicy=policy, VisibilityTimeout="0")
    sent = await send(sqs, url, "poison")
    await receive(sqs, url)
    assert await receive(sqs, url) == []
    started = await sqs("StartMessageMoveTask", SourceArn=ARN + "dead")
    (back,) = await receive(sqs, url, WaitTimeSeconds=20)
    assert back["MessageId"] != sent["MessageId"]
    assert back["Attributes"]["ApproximateReceiveCount"] == "1"
    assert "DeadLetterQueueSourceArn" not in back["Attributes"]
    (task,) = (await sqs("ListMessageMoveTasks", SourceArn=ARN + "dead"))["Results"]
    assert (task["ApproximateNumberOfMessagesMoved"], task["SourceArn"]) == (1, ARN + "dead")
    assert started["TaskHandle"]


async def test_a_move_task_needs_a_dead_letter_queue(sqs):
    """A source that is nobody's dead-letter queue, or is not there, is refused."""
    await make(sqs)
    assert (await sqs.refused("StartMessageMoveTask", SourceArn=ARN + "q"))[0] == (
        "InvalidParameterValue"
    )
    assert (await sqs.refused("StartMessageMoveTask", SourceArn=ARN + "no"))[0] == (
        "ResourceNotFoundException"
    )
    assert (await sqs.refused("CancelMessageMoveTask", TaskHandle="no"))[0] == (
        "ResourceNotFoundException"
    )


async def test_a_dead_letter_queue_may_refuse_sources(sqs):
    """RedriveAllowPolicy is obeyed."""
    await make(sqs, "dead", RedriveAllowPolicy='{"redrivePermission": "denyAll"}')
    policy = json.dumps({"deadLetterTargetArn": ARN + "dead", "maxReceiveCount": 1})
    refused = await sqs.refused("CreateQueue", QueueName="q", Attributes={"RedrivePolicy": policy})
    assert "permission" in refused[2]


async def test_a_fifo_queue_keeps_the_order_of_a_group_and_one_batch_in_flight(sqs, clock):
    """Nothing of a group is received while another of it is in flight; other groups go on."""
    url = await make_fifo(sqs)
    for body in ("a1", "a2", "a3"):
        await send_fifo(sqs, url, body, "a")
    await send_fifo(sqs, url, "b1", "b")
    first = await receive(sqs, url, MaxNumberOfMessages=2)
    assert bodies(first) == ["a1", "a2"]
    assert bodies(await receive(sqs, url)) == ["b1"]
    await delete(sqs, url, first[0])
    assert await receive(sqs, url) == []
    clock.advance(30)
    assert [b for b in bodies(await receive(sqs, url)) if b[0] == "a"] == ["a2", "a3"]


async def test_a_message_given_back_comes_before_the_later_ones_of_its_group(sqs):
    """Order holds through returns; the group waits for the one still in flight."""
    url = await make_fifo(sqs)
    for body in ("1", "2", "3"):
        await send_fifo(sqs, url, body)
    one, two = await receive(sqs, url, MaxNumberOfMessages=2)
    back = {"QueueUrl": url, "VisibilityTimeout": 0}
    await sqs("ChangeMessageVisibility", ReceiptHandle=one["ReceiptHandle"], **back)
    assert await receive(sqs, url) == []
    await sqs("ChangeMessageVisibility", ReceiptHandle=two["ReceiptHandle"], **back)
    assert bodies(await receive(sqs, url)) == ["1", "2", "3"]


async def test_duplicates_are_dropped_for_five_minutes(sqs, clock):
    """By id, even after the original is gone; the answer names the original."""
    url = await make_fifo(sqs)
    first = await send_fifo(sqs, url, "1", MessageDeduplicationId="d")
    (message,) = await receive(sqs, url)
    await delete(sqs, url, message)
    again = await send_fifo(sqs, url, "2", MessageDeduplicationId="d")
    assert (again["MessageId"], again["SequenceNumber"]) == (
        first["MessageId"],
        first["SequenceNumber"],
    )
    assert await receive(sqs, url) == []
    clock.advance(300)
    await send_fifo(sqs, url, "3", MessageDeduplicationId="d")
    assert bodies(await receive(sqs, url)) == ["3"]


async def test_duplicates_are_known_by_content_and_per_group_where_asked(sqs):
    """ContentBasedDeduplication and DeduplicationScope messageGroup."""
    url = await make_fifo(sqs, ContentBasedDeduplication="true", DeduplicationScope="messageGroup")
    for group in ("a", "a", "b"):
        await send(sqs, url, "same", MessageGroupId=group)
    found = await receive(sqs, url)
    assert [m["Attributes"]["MessageGroupId"] for m in found] == ["a", "b"]
    digest = hashlib.sha256(b"same").hexdigest()
    assert found[0]["Attributes"]["MessageDeduplicationId"] == digest
    numbers = [m["Attributes"]["SequenceNumber"] for m in found]
    assert numbers == sorted(numbers)
    assert {len(number) for number in numbers} == {20}


async def test_fifo_messages_need_a_group_and_an_id(sqs):
    """What is missing or not allowed is named."""
    url = await make_fifo(sqs)
    asked = {"QueueUrl": url, "MessageBody": "x"}
    assert await sqs.refused("SendMessage", **asked) == (
        "MissingParameter",
        400,
        "The request must contain the parameter MessageGroupId.",
    )
    refused = await sqs.refused("SendMessage", MessageGroupId="g", **asked)
    assert refused[0] == "InvalidParameterValue"
    refused = await sqs.refused(
        "SendMessage", MessageGroupId="g", MessageDeduplicationId="d", DelaySeconds=5, **asked
    )
    assert refused[0] == "InvalidParameterValue"


async def test_a_receive_attempt_may_be_repeated(sqs, clock):
    """The same ReceiveRequestAttemptId gets the same messages while they are in flight."""
    url = await make_fifo(sqs)
    await send_fifo(sqs, url, "1")
    first = await receive(sqs, url, ReceiveRequestAttemptId="a")
    again = await receive(sqs, url, ReceiveRequestAttemptId="a")
    assert [m["ReceiptHandle"] for m in again] == [m["ReceiptHandle"] for m in first]
    assert await receive(sqs, url, ReceiveRequestAttemptId="b") == []


async def test_a_fifo_receipt_expires_with_its_visibility(sqs, clock):
    """A message that has come back cannot be deleted by who had it before."""
    url = await make_fifo(sqs)
    await send_fifo(sqs, url, "1")
    (message,) = await receive(sqs, url)
    clock.advance(30)
    refused = await sqs.refused(
        "DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"]
    )
    assert "expired" in refused[2]


async def test_dead_letters_of_a_fifo_queue_let_their_group_go_on(sqs, clock):
    """The poison message leaves, the next of its group is received, and both keep their groups."""
    dead = await make_fifo(sqs, "dead.fifo")
    policy = json.dumps({"deadLetterTargetArn": ARN + "dead.fifo", "maxReceiveCount": 1})
    url = await make_fifo(sqs, RedrivePolicy=policy)
    await send_fifo(sqs, url, "poison")
    await send_fifo(sqs, url, "next")
    assert bodies(await receive(sqs, url, MaxNumberOfMessages=1)) == ["poison"]
    clock.advance(30)
    assert bodies(await receive(sqs, url)) == ["next"]
    (letter,) = await receive(sqs, dead)
    assert letter["Attributes"]["MessageGroupId"] == "g"


async def test_a_noisy_tenant_does_not_delay_the_others(sqs):
    """In a fair queue, a group with much in flight waits behind groups with little."""
    url = await make(sqs)
    for number in range(30):
        await send(sqs, url, f"noisy{number}", MessageGroupId="noisy")
    await receive(sqs, url)
    for group in ("a", "b"):
        await send(sqs, url, group, MessageGroupId=group)
    await send(sqs, url, "alone")
    found = bodies(await receive(sqs, url))
    assert found[:3] == ["a", "b", "alone"]
    assert len(found) == 10


async def test_tags_are_kept(sqs):
    """TagQueue, UntagQueue and ListQueueTags."""
    url = (await sqs("CreateQueue", QueueName="q", tags={"a": "1"}))["QueueUrl"]
    await sqs("TagQueue", QueueUrl=url, Tags={"b": "2"})
    assert await sqs("ListQueueTags", QueueUrl=url) == {"Tags": {"a": "1", "b": "2"}}
    await sqs("UntagQueue", QueueUrl=url, TagKeys=["a"])
    assert await sqs("ListQueueTags", QueueUrl=url) == {"Tags": {"b": "2"}}


async def test_another_account_needs_a_permission(sqs):
    """AddPermission lets it in, RemovePermission shuts it out."""
    url = await make(sqs)
    other = sqs.as_(account=OTHER)
    asked = {"QueueUrl": url, "MessageBody": "x"}
    assert (await other.refused("SendMessage", **asked))[0] == "AccessDeniedException"
    permission = {"Label": "l", "AWSAccountIds": [OTHER], "Actions": ["SendMessage"]}
    await sqs("AddPermission", QueueUrl=url, **permission)
    await other("SendMessage", **asked)
    assert (await other.refused("DeleteQueue", QueueUrl=url))[0] == "AccessDeniedException"
    refused = await sqs.refused("AddPermission", QueueUrl=url, **permission)
    assert "Already exists" in refused[2]
    await sqs("RemovePermission", QueueUrl=url, Label="l")
    assert (await other.refused("SendMessage", **asked))[0] == "AccessDeniedException"
    shown = await sqs("GetQueueAttributes", QueueUrl=url, AttributeNames=["Policy"])
    assert shown == {"Attributes": {}}


async def test_a_full_disk_refuses_a_message_and_loses_none(sqs, monkeypatch):
    """The sender hears that it failed; what was sent before is there."""
    url = await make(sqs)
    await send(sqs, url, "1")
    service = sqs.service
    database = service.broker._messages._database
    page_count = await database.write(
        lambda tx: tx._connection.execute("PRAGMA page_count").fetchone()[0]
    )
    await database.write(
        lambda tx: tx._connection.execute(f"PRAGMA max_page_count = {page_count}").fetchone()
    )
    with pytest.raises(Exception, match="full"):
        await send(sqs, url, "x" * 1_000_000)
    assert bodies(await receive(sqs, url)) == ["1"]


async def test_a_client_that_leaves_a_long_poll_takes_no_message_along(sqs, start):
    """What comes after it has gone is there for the next receiver at once."""
    url = await make(sqs)
    gone = asyncio.Event()
    leaving = sqs.as_(leaves=gone.wait)
    polling = asyncio.create_task(receive(leaving, url, WaitTimeSeconds=20))
    await asyncio.sleep(0)
    gone.set()
    assert await polling == []
    await send(sqs, url)
    assert bodies(await receive(sqs, url)) == ["hello"]


async def until_waiting(sqs, count):
    """Until so many receivers have looked, found nothing, and wait."""
    lines = sqs.service.broker._arrivals._lines
    while sum(len(line.receivers) for line in lines.values()) < count:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def test_a_send_hands_out_to_who_waits(sqs):
    """A message goes with its send to a receiver that waits, who then waits for the next alone."""
    url = await make(sqs)
    waiting = asyncio.create_task(receive(sqs, url, WaitTimeSeconds=20))
    other = asyncio.create_task(receive(sqs, url, WaitTimeSeconds=20))
    await until_waiting(sqs, 2)
    await send(sqs, url, "one")
    done, left = await asyncio.wait({waiting, other}, return_when=asyncio.FIRST_COMPLETED)
    ((message,),) = [task.result() for task in done]
    assert message["Body"] == "one"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    await send(sqs, url, "two")
    assert bodies(await left.pop()) == ["two"]
    assert await receive(sqs, url) == []


async def test_a_message_for_a_receiver_that_leaves_at_that_moment_comes_back(sqs):
    """Served and cancelled in one turn of the loop: the message is there for the next receiver."""
    url = await make(sqs)
    leaving = asyncio.create_task(receive(sqs, url, WaitTimeSeconds=20))
    await until_waiting(sqs, 1)
    sending = asyncio.create_task(send(sqs, url, "kept"))
    await asyncio.sleep(0)
    leaving.cancel()
    await sending
    assert leaving.cancelled()
    assert bodies(await receive(sqs, url, WaitTimeSeconds=20)) == ["kept"]


async def test_what_waits_of_a_fifo_group_is_not_handed_out_of_turn(sqs):
    """A send to a group with a message in flight leaves the receiver waiting."""
    url = await make_fifo(sqs)
    await send_fifo(sqs, url, "1")
    (first,) = await receive(sqs, url)
    waiting = asyncio.create_task(receive(sqs, url, WaitTimeSeconds=20))
    await until_waiting(sqs, 1)
    await send_fifo(sqs, url, "2")
    assert not waiting.done()
    await delete(sqs, url, first)
    assert bodies(await waiting) == ["2"]
