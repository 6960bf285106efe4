import json
import os
from urllib.parse import unquote_plus

import boto3

s3 = boto3.client("s3")
sqs = boto3.client("sqs")


def handler(event, context):
    url = sqs.get_queue_url(QueueName=os.environ["QUEUE"])["QueueUrl"]
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
        lines = s3.get_object(Bucket=bucket, Key=key)["Body"].read().split()
        body = json.dumps({"bucket": bucket, "key": key, "numbers": [int(n) for n in lines]})
        sqs.send_message(QueueUrl=url, MessageBody=body)
