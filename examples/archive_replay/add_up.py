import os

import boto3

sqs = boto3.client("sqs")


def handler(event, context):
    url = sqs.get_queue_url(QueueName=os.environ["TOTALS"])["QueueUrl"]
    text = f"{event['detail']['total']} by {event['replay-name']}"
    sqs.send_message(QueueUrl=url, MessageBody=text)
