import json


def handler(event, context):
    print(json.dumps({"order": event["order"], "total": event["total"]}))
