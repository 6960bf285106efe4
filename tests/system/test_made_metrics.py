"""Metrics that are made of other things, through boto3: concurrency and lines of logs."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from hands import ApiError

PLACE = "us-east-1:123456789012"
EMF = """
    import json, time

    def lambda_handler(event, context):
        about = {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": "Orders",
                    "Dimensions": [["Shop"], []],
                    "Metrics": [{"Name": "Total", "Unit": "Count"}],
                }
            ],
        }
        print(json.dumps({"_aws": about, "Shop": "north", "Total": event["total"]}))
"""


def read(boto, namespace, metric, statistic, **dimensions):
    """A statistic of a metric in the minutes around now, none if there are no points."""
    now = datetime.now(UTC)
    points = boto.call(
        "cloudwatch",
        "GetMetricStatistics",
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=now - timedelta(minutes=10),
        EndTime=now + timedelta(minutes=10),
        Period=3_600,
        Statistics=[statistic],
    )["Datapoints"]
    return [point[statistic] for point in points]


def test_lines_of_the_embedded_format_are_metrics(boto, make_function):
    """By each set of dimensions; a line that names what is missing counts as an error."""
    name = make_function(EMF)
    for total in (3, [4, 5], "many"):
        boto.invoke(name, json.dumps({"total": total}).encode(), LogType="Tail")

    assert sum(read(boto, "Orders", "Total", "Sum", Shop="north")) == 12
    assert sum(read(boto, "Orders", "Total", "SampleCount")) == 3
    group = f"/aws/lambda/{name}"
    assert sum(read(boto, "AWS/Logs", "EMFValidationErrors", "Sum", LogGroupName=group)) == 1


def test_concurrency_is_a_metric(boto, make_function):
    """Of the function, of the account, and of what shares the account's pool."""
    name = make_function("def lambda_handler(event, context):\n    return 1\n")
    boto.invoke(name, b"{}", LogType="Tail")

    assert read(boto, "AWS/Lambda", "ConcurrentExecutions", "Maximum", FunctionName=name)[-1] == 1
    for metric in ("ConcurrentExecutions", "UnreservedConcurrentExecutions"):
        assert max(read(boto, "AWS/Lambda", metric, "Maximum")) >= 1


def test_claimed_concurrency_counts_what_is_set_aside(boto, make_function):
    """Reserved concurrency, and the most that ran at once of everything else."""
    name = make_function("def lambda_handler(event, context):\n    return 1\n")
    boto.call(
        "lambda", "PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=70
    )
    boto.invoke(name, b"{}", LogType="Tail")

    claimed = read(boto, "AWS/Lambda", "ClaimedAccountConcurrency", "Maximum")

    assert claimed[-1] >= 70


def test_a_throttle_counts_for_what_was_called(boto, make_function):
    """For the alias, and not for the function without one."""
    name = make_function("def lambda_handler(event, context):\n    return 1\n")
    boto.call("lambda", "CreateAlias", FunctionName=name, Name="live", FunctionVersion="$LATEST")
    boto.call("lambda", "PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(ApiError):
        boto.invoke(name, b"{}", Qualifier="live")

    sums = [
        read(boto, "AWS/Lambda", "Throttles", "Sum", FunctionName=name, **more)
        for more in ({}, {"Resource": f"{name}:live"}, {"Resource": name})
    ]

    assert sums == [[1.0], [1.0], []]


def test_what_cannot_be_told_counts_for_what_was_called(boto, make_function):
    """A record for a queue that there is not, about an event of an alias."""
    name = make_function("def lambda_handler(event, context):\n    return 1\n")
    boto.call("lambda", "CreateAlias", FunctionName=name, Name="live", FunctionVersion="$LATEST")
    boto.call(
        "lambda",
        "PutFunctionEventInvokeConfig",
        FunctionName=name,
        Qualifier="live",
        DestinationConfig={"OnSuccess": {"Destination": f"arn:aws:sqs:{PLACE}:nowhere"}},
    )
    boto.invoke(name, b"{}", InvocationType="Event", Qualifier="live")

    where = {"FunctionName": name, "Resource": f"{name}:live"}
    for _ in range(600):
        failures = read(boto, "AWS/Lambda", "DestinationDeliveryFailures", "Sum", **where)
        if failures:
            break
    assert failures == [1.0]


def test_provisioned_concurrency_has_its_metrics(boto, make_function):
    """What runs on it, and how much of it is used, under the name that was called."""
    name = make_function("def lambda_handler(event, context):\n    return 1\n")
    version = boto.call("lambda", "PublishVersion", FunctionName=name)["Version"]
    boto.wait("lambda", "PublishedVersionActive", FunctionName=name, Qualifier=version)
    called = {"FunctionName": name, "Qualifier": version}
    boto.call(
        "lambda", "PutProvisionedConcurrencyConfig", ProvisionedConcurrentExecutions=1, **called
    )
    config, deadline = {}, time.monotonic() + 60
    while config.get("Status") != "READY" and time.monotonic() < deadline:
        config = boto.call("lambda", "GetProvisionedConcurrencyConfig", **called)
    assert config["Status"] == "READY"
    boto.invoke(name, b"{}", Qualifier=version, LogType="Tail")

    where = {"FunctionName": name, "Resource": f"{name}:{version}"}
    metric = "ProvisionedConcurrency"
    assert sum(read(boto, "AWS/Lambda", f"{metric}Invocations", "Sum", **where)) == 1
    assert read(boto, "AWS/Lambda", f"{metric}Utilization", "Maximum", **where) == [1.0]
    assert read(boto, "AWS/Lambda", "ProvisionedConcurrentExecutions", "Maximum", **where) == [1.0]
    assert read(boto, "AWS/Lambda", f"{metric}SpilloverInvocations", "Sum", **where) == []
