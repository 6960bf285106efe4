import json
import time


def lambda_handler(event, context):
    print("event:", json.dumps(event))
    if "sleep" in event:
        time.sleep(event["sleep"])
    if "fail" in event:
        raise ValueError(event["fail"])
    return {"statusCode": 200, "body": json.dumps(f"Hello, {event.get('name', 'world')}!")}
