import base64
import gzip
import json
import os

import boto3

sqs = boto3.client("sqs")


def handler(event, context):
    data = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    url = sqs.get_queue_url(QueueName=os.environ["TOLD"])["QueueUrl"]
    for each in data["logEvents"]:
        text = f"{data['logGroup']} said {each['message'].strip()}"
        sqs.send_message(QueueUrl=url, MessageBody=text)
