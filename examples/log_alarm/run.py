"""A pattern in the log of one function wakes another one."""

import json
from pathlib import Path

import boto3

from examples.common import Application

GROUP = "/aws/lambda/shop"


def main():
    logs = boto3.client("logs")
    with Application(Path(__file__).parent) as app:
        told = app.queue("told")
        app.function("shop", "shop")
        alarm = app.function("alarm", "alarm", {"TOLD": "told"})
        app.functions.add_permission(
            FunctionName="alarm",
            StatementId="logs",
            Action="lambda:InvokeFunction",
            Principal="logs.amazonaws.com",
        )
        logs.create_log_group(logGroupName=GROUP)
        logs.put_subscription_filter(
            logGroupName=GROUP,
            filterName="large",
            filterPattern="{ $.total >= 100 }",
            destinationArn=alarm,
        )
        for order, total in ((1, 20), (2, 500), (3, 99)):
            event = json.dumps({"order": order, "total": total})
            app.functions.invoke(FunctionName="shop", Payload=event)
        for line in app.bodies(told, 1):
            print(line)
        logs.delete_log_group(logGroupName=GROUP)


if __name__ == "__main__":
    main()
