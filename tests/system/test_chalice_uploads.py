"""chalice's S3 events work unchanged."""

import json
import os
import subprocess
import time

from tools_of_others import python_tool

APP = """
from chalice import Chalice

app = Chalice(app_name="hears")


@app.on_s3_event(bucket="hears-uploads", events=["s3:ObjectCreated:*"], suffix=".txt")
def heard(event):
    print("HEARD", event.bucket, event.key)
"""
CONFIG = {"version": "2.0", "app_name": "hears", "stages": {"dev": {"lambda_timeout": 20}}}


def test_a_chalice_application_hears_of_uploads(aws_environment, boto, tmp_path):
    """Deployed by chalice itself: permission, notification, event class."""
    programs = python_tool("chalice==1.34.0")
    environment = {
        **aws_environment,
        "HOME": str(tmp_path),
        "PATH": f"{programs}{os.pathsep}{aws_environment['PATH']}",
    }
    (tmp_path / ".chalice").mkdir()
    (tmp_path / ".chalice" / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "requirements.txt").write_text("")
    (tmp_path / "app.py").write_text(APP)
    boto.call("s3", "CreateBucket", Bucket="hears-uploads")

    def chalice(*words):
        done = subprocess.run(
            ["chalice", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    chalice("deploy")
    boto.call("s3", "PutObject", Bucket="hears-uploads", Key="a b.txt", Body=b"x")
    deadline, found = time.monotonic() + 30, []
    while not found:
        assert time.monotonic() < deadline, "the function heard of nothing"
        asked = {"logGroupName": "/aws/lambda/hears-dev-heard", "filterPattern": "HEARD"}
        groups = boto.call("logs", "DescribeLogGroups", logGroupNamePrefix=asked["logGroupName"])
        if groups["logGroups"]:
            found = boto.call("logs", "FilterLogEvents", **asked)["events"]
    assert "HEARD hears-uploads a b.txt" in found[0]["message"]
    chalice("delete")
    shown = boto.call("s3", "GetBucketNotificationConfiguration", Bucket="hears-uploads")
    assert shown == {}
    boto.call("s3", "DeleteObject", Bucket="hears-uploads", Key="a b.txt")
    boto.call("s3", "DeleteBucket", Bucket="hears-uploads")
