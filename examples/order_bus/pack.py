import os

import boto3

sqs = boto3.client("sqs")


def handler(event, context):
    url = sqs.get_queue_url(QueueName=os.environ["PACKED"])["QueueUrl"]
    text = f"{event['order']}: {event['label']}, {event['count']} parcels"
    sqs.send_message(QueueUrl=url, MessageBody=text)
