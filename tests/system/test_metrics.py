"""Metrics and alarms through boto3."""

from datetime import UTC, datetime, timedelta

import pytest


@pytest.fixture
def cloudwatch(boto):
    """A client of CloudWatch."""
    return boto.client("cloudwatch")


def test_a_metric_is_put_listed_and_read(cloudwatch):
    """With the statistics asked for, in the minute in which it was put."""
    now = datetime.now(UTC)
    data = [{"MetricName": "Jobs", "Values": [1.0, 3.0], "Counts": [3.0, 1.0], "Unit": "Count"}]
    cloudwatch.put_metric_data(Namespace="App", MetricData=data)

    listed = list(cloudwatch.get_paginator("list_metrics").paginate(Namespace="App"))
    read = cloudwatch.get_metric_statistics(
        Namespace="App",
        MetricName="Jobs",
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=5),
        Period=600,
        Statistics=["Sum", "Maximum"],
        ExtendedStatistics=["p50"],
    )

    assert [metric["MetricName"] for page in listed for metric in page["Metrics"]] == ["Jobs"]
    sums = [point["Sum"] for point in read["Datapoints"]]
    assert sum(sums) == 6.0
    assert read["Datapoints"][0]["ExtendedStatistics"] == {"p50": 1.0}


def test_an_alarm_is_made_and_moved(cloudwatch):
    """The waiter of the SDK sees it; its state can be set by hand."""
    cloudwatch.put_metric_alarm(
        AlarmName="busy",
        Namespace="App",
        MetricName="Unmeasured",
        TreatMissingData="ignore",  # so that its state stays as it was set when it is evaluated
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.get_waiter("alarm_exists").wait(AlarmNames=["busy"])

    cloudwatch.set_alarm_state(AlarmName="busy", StateValue="ALARM", StateReason="by hand")

    [alarm] = cloudwatch.describe_alarms(AlarmNames=["busy"])["MetricAlarms"]
    assert (alarm["StateValue"], alarm["StateReason"]) == ("ALARM", "by hand")
    with pytest.raises(cloudwatch.exceptions.ResourceNotFound):
        cloudwatch.set_alarm_state(AlarmName="none", StateValue="OK", StateReason="-")


def test_messages_of_topics_and_queues_are_counted(boto, cloudwatch):
    """AWS/SNS by topic, AWS/SQS by queue."""
    now = datetime.now(UTC)
    queue = boto.call("sqs", "CreateQueue", QueueName="metered")["QueueUrl"]
    topic = boto.call("sns", "CreateTopic", Name="metered")["TopicArn"]
    arn = "arn:aws:sqs:us-east-1:123456789012:metered"
    boto.call("sns", "Subscribe", TopicArn=topic, Protocol="sqs", Endpoint=arn)
    boto.call("sns", "Publish", TopicArn=topic, Message="one")
    got = boto.call("sqs", "ReceiveMessage", QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    boto.call("sqs", "DeleteMessage", QueueUrl=queue, ReceiptHandle=got[0]["ReceiptHandle"])

    def total(namespace, dimension, metric):
        found = cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=[{"Name": dimension, "Value": "metered"}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
            Period=600,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in found["Datapoints"])

    for metric in ("Sent", "Received", "Deleted"):
        assert total("AWS/SQS", "QueueName", f"NumberOfMessages{metric}") == 1
    assert total("AWS/SNS", "TopicName", "NumberOfMessagesPublished") == 1
    assert total("AWS/SNS", "TopicName", "NumberOfNotificationsFilteredOut") == 0
    boto.call("sqs", "DeleteQueue", QueueUrl=queue)
    boto.call("sns", "DeleteTopic", TopicArn=topic)
