import os

import boto3

s3 = boto3.client("s3")


def handler(event, context):
    today = event["time"].partition("T")[0]
    found = s3.list_objects_v2(Bucket=os.environ["BUCKET"]).get("Contents", [])
    old = [each["Key"] for each in found if each["Key"].partition("/")[0] < today]
    for key in old:
        s3.delete_object(Bucket=os.environ["BUCKET"], Key=key)
    print("removed", len(old), "of", len(found))
