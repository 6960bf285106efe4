import json
import os

import boto3

events = boto3.client("events")


def handler(event, context):
    detail = {"instance-id": event["detail"]["instance-id"], "asked-by": event["id"]}
    entry = {
        "EventBusName": os.environ["BUS"],
        "Source": "my.automation",
        "DetailType": "Restart Wanted",
        "Detail": json.dumps(detail),
    }
    events.put_events(Entries=[entry])
