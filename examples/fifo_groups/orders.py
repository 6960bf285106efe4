import os
import random

import boto3

sqs = boto3.client("sqs")


def handler(event, context):
    """Pass orders on; fail now and then, and with one order all later ones of its customer."""
    url = sqs.get_queue_url(QueueName=os.environ["DONE"])["QueueUrl"]
    failed, failures = set(), []
    for record in event["Records"]:
        customer = record["attributes"]["MessageGroupId"]
        if customer in failed or random.random() < 0.15:
            failed.add(customer)
            failures.append({"itemIdentifier": record["messageId"]})
        else:
            sqs.send_message(QueueUrl=url, MessageBody=record["body"], MessageGroupId=customer)
    return {"batchItemFailures": failures}
