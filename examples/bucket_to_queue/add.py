import json

import boto3

s3 = boto3.client("s3")


def handler(event, context):
    for record in event["Records"]:
        work = json.loads(record["body"])
        total = str(sum(work["numbers"])).encode()
        s3.put_object(Bucket=work["bucket"], Key=f"{work['key']}.sum", Body=total)
