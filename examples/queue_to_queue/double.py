import os

import boto3

sqs = boto3.client("sqs")


def handler(event, context):
    url = sqs.get_queue_url(QueueName=os.environ["RESULTS"])["QueueUrl"]
    for record in event["Records"]:
        number = int(record["body"])
        sqs.send_message(QueueUrl=url, MessageBody=f"{number} doubled is {number * 2}")
