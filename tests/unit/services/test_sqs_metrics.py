"""What goes through a queue is counted as AWS/SQS counts it."""

from contextlib import AsyncExitStack

import pytest

from emberbox.clock import ManualClock
from emberbox.services.sqs.metrics import QueueMetrics
from emberbox.services.sqs.service import SqsService


@pytest.fixture
async def counted(tmp_path, caller, request):
    """The service, its metrics, and the values that were added, by metric."""
    clock, added = ManualClock(), {}

    def add(key, value):
        assert key.namespace == "AWS/SQS"
        assert dict(key.dimensions) == {"QueueName": getattr(request, "param", "counted")}
        added.setdefault(key.name, []).append(value)

    async with AsyncExitStack() as stack:
        service = await SqsService.start(tmp_path / "queues.db", clock, stack)
        metrics = QueueMetrics(service.broker, add, clock)
        metrics.open()
        stack.push_async_callback(metrics.close)
        yield caller(service), metrics, added, clock


async def test_sends_receives_and_deletes_are_counted(counted):
    """Messages, not requests; the size is that of body and attributes together."""
    sqs, _, added, _ = counted
    url = (await sqs("CreateQueue", QueueName="counted"))["QueueUrl"]
    attributes = {"k": {"DataType": "String", "StringValue": "v"}}
    await sqs("SendMessage", QueueUrl=url, MessageBody="é", MessageAttributes=attributes)
    got = (await sqs("ReceiveMessage", QueueUrl=url))["Messages"]
    await sqs("DeleteMessage", QueueUrl=url, ReceiptHandle=got[0]["ReceiptHandle"])
    assert await sqs("ReceiveMessage", QueueUrl=url) == {}
    assert added == {
        "SentMessageSize": [2 + 1 + 6 + 1],
        "NumberOfMessagesSent": [1],
        "NumberOfMessagesReceived": [1],
        "NumberOfMessagesDeleted": [1],
        "NumberOfEmptyReceives": [1],
    }


async def test_what_is_in_a_queue_is_looked_at_while_it_is_used(counted):
    """After six hours without use it is left alone."""
    sqs, metrics, added, clock = counted
    url = (await sqs("CreateQueue", QueueName="counted"))["QueueUrl"]
    await sqs("SendMessage", QueueUrl=url, MessageBody="now")
    await sqs("SendMessage", QueueUrl=url, MessageBody="later", DelaySeconds=60)
    await metrics.look()
    assert added["ApproximateNumberOfMessagesVisible"] == [1]
    assert added["ApproximateNumberOfMessagesDelayed"] == [1]
    assert added["ApproximateNumberOfMessagesNotVisible"] == [0]
    clock.advance(6 * 3600 + 1)
    await metrics.look()
    assert added["ApproximateNumberOfMessagesVisible"] == [1]


async def test_the_age_is_that_of_the_oldest_message_that_is_not_poison(counted):
    """What was received three times counts no longer; an empty queue has the age nought."""
    sqs, metrics, added, clock = counted
    url = (await sqs("CreateQueue", QueueName="counted"))["QueueUrl"]
    await sqs("SendMessage", QueueUrl=url, MessageBody="poison")
    clock.advance(10)
    for _ in range(3):
        await sqs("ReceiveMessage", QueueUrl=url, VisibilityTimeout=0)
    await metrics.look()
    await sqs("SendMessage", QueueUrl=url, MessageBody="fine")
    clock.advance(5)
    await metrics.look()
    assert added["ApproximateAgeOfOldestMessage"] == [0, 5]


@pytest.mark.parametrize("counted", ["counted.fifo"], indirect=True)
async def test_a_fifo_queue_counts_duplicates_and_groups_in_flight(counted):
    """A duplicate is sent all the same; two messages of one group in flight are one group."""
    sqs, metrics, added, _ = counted
    attributes = {"FifoQueue": "true"}
    made = await sqs("CreateQueue", QueueName="counted.fifo", Attributes=attributes)
    for group, name in [("a", "1"), ("a", "2"), ("b", "3"), ("b", "3")]:
        await sqs(
            "SendMessage",
            QueueUrl=made["QueueUrl"],
            MessageBody="m",
            MessageGroupId=group,
            MessageDeduplicationId=name,
        )
    await sqs("ReceiveMessage", QueueUrl=made["QueueUrl"], MaxNumberOfMessages=2)
    await metrics.look()
    assert added["NumberOfDeduplicatedSentMessages"] == [0, 0, 0, 1]
    assert added["ApproximateNumberOfGroupsWithInflightMessages"] == [1]
