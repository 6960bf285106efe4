"""Provisioned concurrency is scaled by schedule, through stock clients."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from hands import ApiError


def test_a_schedule_provisions_environments(hands, boto, make_function):
    """A target, an action that is due in a moment, and the environments that it asks for."""
    name = make_function("def lambda_handler(event, context):\n    return 1\n")
    version = boto.call("lambda", "PublishVersion", FunctionName=name)["Version"]
    boto.wait("lambda", "PublishedVersionActive", FunctionName=name, Qualifier=version)
    target = {
        "ServiceNamespace": "lambda",
        "ResourceId": f"function:{name}:{version}",
        "ScalableDimension": "lambda:function:ProvisionedConcurrency",
    }
    service = "application-autoscaling"

    hands.call(service, "RegisterScalableTarget", **target, MinCapacity=0, MaxCapacity=2)
    # It is due in a moment: the command line would take longer than that to start.
    boto.client(service)
    boto.call(
        service,
        "PutScheduledAction",
        **target,
        ScheduledActionName="soon",
        Schedule=f"at({datetime.now(UTC) + timedelta(seconds=4):%Y-%m-%dT%H:%M:%S})",
        ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 2},
    )

    config = {}
    deadline = time.monotonic() + 80
    while config.get("Status") != "READY" and time.monotonic() < deadline:
        time.sleep(0.1)
        with suppress(ApiError):  # there is none before the action has run
            config = boto.call(
                "lambda", "GetProvisionedConcurrencyConfig", FunctionName=name, Qualifier=version
            )
    assert config["RequestedProvisionedConcurrentExecutions"] == 1
    assert config["Status"] == "READY"
    shown = hands.call(service, "DescribeScalingActivities", ServiceNamespace="lambda")
    told = [e for e in shown["ScalingActivities"] if e["ResourceId"] == target["ResourceId"]]
    assert told[0]["StatusCode"] == "Successful"
    hands.call(service, "DeregisterScalableTarget", **target)
