"""Puts an image into a bucket and waits for its thumbnail in another one."""

import io
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from pathlib import Path

import boto3

ROLE = "arn:aws:iam::123456789012:role/example"
SOURCE, THUMBNAILS, PACKAGES = "example-images", "example-thumbnails", "example-packages"
NAME = "example-shrink"
WAIT_S = 60

s3 = boto3.client("s3")
functions = boto3.client("lambda")


def main():
    for bucket in (SOURCE, THUMBNAILS, PACKAGES):
        s3.create_bucket(Bucket=bucket)
    try:
        layer = make_layer()
        make_function(layer)
        s3.put_object(Bucket=SOURCE, Key="holiday/beach 1.png", Body=png(640, 480))
        print(size_of(wait_for("holiday/beach 1.png")))
    finally:
        clear_up()


def make_layer():
    """Pillow as pip installs it for this Python, in a layer."""
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / "python"
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-compile",
            "--target",
            str(target),
        ]
        subprocess.run([*pip, "pillow"], check=True)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(target.rglob("*")):
                archive.write(path, path.relative_to(place))
    packed.seek(0)
    s3.upload_fileobj(packed, PACKAGES, "pillow.zip")
    content = {"S3Bucket": PACKAGES, "S3Key": "pillow.zip"}
    return functions.publish_layer_version(LayerName="example-pillow", Content=content)


def make_function(layer):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.write(Path(__file__).with_name("shrink.py"), "shrink.py")
    s3.put_object(Bucket=PACKAGES, Key="shrink.zip", Body=code.getvalue())
    made = functions.create_function(
        FunctionName=NAME,
        Runtime=f"python3.{sys.version_info.minor}",  # what pip has packed Pillow for
        Role=ROLE,
        Handler="shrink.handler",
        Code={"S3Bucket": PACKAGES, "S3Key": "shrink.zip"},
        Layers=[layer["LayerVersionArn"]],
        Timeout=30,
        MemorySize=1769,
        Environment={"Variables": {"THUMBNAILS": THUMBNAILS}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=NAME)
    functions.add_permission(
        FunctionName=NAME,
        StatementId="images",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{SOURCE}",
        SourceAccount="123456789012",
    )
    rule = {"Name": "suffix", "Value": ".png"}
    told = {
        "LambdaFunctionArn": made["FunctionArn"],
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [rule]}},
    }
    s3.put_bucket_notification_configuration(
        Bucket=SOURCE, NotificationConfiguration={"LambdaFunctionConfigurations": [told]}
    )


def wait_for(key):
    """The body of the thumbnail."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return s3.get_object(Bucket=THUMBNAILS, Key=key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            if time.monotonic() > deadline:
                raise SystemExit("no thumbnail came") from None
            time.sleep(0.1)


def size_of(image):
    """Width and height in the header of a PNG."""
    width, height = struct.unpack(">II", image[16:24])
    return f"{width} x {height}"


def png(width, height):
    """An image of one colour."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = (b"\0" + b"\x20\x60\xa0" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def clear_up():
    names = [each["FunctionName"] for each in functions.list_functions()["Functions"]]
    if NAME in names:
        functions.delete_function(FunctionName=NAME)
    for bucket in (SOURCE, THUMBNAILS, PACKAGES):
        for each in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=each["Key"])
        s3.delete_bucket(Bucket=bucket)


if __name__ == "__main__":
    main()
