import os

import boto3

sqs = boto3.client("sqs")


def handler(event, context):
    url = sqs.get_queue_url(QueueName=os.environ["HEARD"])["QueueUrl"]
    for record in event["Records"]:
        text = f"{os.environ['NAME']} heard {record['Sns']['Message']}"
        sqs.send_message(QueueUrl=url, MessageBody=text)
