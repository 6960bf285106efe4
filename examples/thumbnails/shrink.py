import io
import os
from urllib.parse import unquote_plus

import boto3
from PIL import Image

s3 = boto3.client("s3")


def handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])
        image = Image.open(io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))
        image.thumbnail((64, 64))
        small = io.BytesIO()
        image.save(small, "PNG")
        s3.put_object(
            Bucket=os.environ["THUMBNAILS"],
            Key=key,
            Body=small.getvalue(),
            ContentType="image/png",
            Metadata={"of": bucket},
        )
        print(f"{key}: {image.width} x {image.height}")
