import json
import os

import boto3

sqs = boto3.client("sqs")


def handler(event, context):
    url = sqs.get_queue_url(QueueName=os.environ["RECEIPTS"])["QueueUrl"]
    for record in event["Records"]:
        payment = json.loads(record["body"])
        text = f"charged {payment['amount'] / 100:.2f}"
        sqs.send_message(QueueUrl=url, MessageBody=text)
