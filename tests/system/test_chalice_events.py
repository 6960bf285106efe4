"""chalice's handlers of S3, EventBridge and schedules work unchanged."""

import json

import pytest
from test_chalice import logged
from tools_of_others import chalice_in

# The first of them waits until the tool is installed.
pytestmark = pytest.mark.timeout(600)

APP = """
from chalice import Chalice, Cron

app = Chalice(app_name="hears")


@app.on_s3_event(bucket="hears-uploads", events=["s3:ObjectCreated:*"], suffix=".txt")
def uploaded(event):
    print("{word}", event.bucket, event.key)


@app.on_cw_event({{"source": ["hears.shop"]}})
def happened(event):
    print("{word}", event.source, event.detail_type, event.detail["total"])


@app.schedule(Cron("*", "*", "*", "*", "?", "*"))
def each_minute(event):
    print("{word}", event.detail_type, event.region)
"""
CONFIG = {"version": "2.0", "app_name": "hears", "stages": {"dev": {"lambda_timeout": 20}}}
BUCKET = "hears-uploads"


def test_handlers_of_buckets_events_and_schedules(aws_environment, boto, tmp_path):
    """Deployed, deployed once more with other code, and deleted, by chalice itself."""
    chalice = chalice_in(tmp_path, aws_environment, CONFIG)
    boto.call("s3", "CreateBucket", Bucket=BUCKET)
    for word in ("FIRST", "SECOND"):
        (tmp_path / "app.py").write_text(APP.format(word=word))
        chalice("deploy")
        boto.call("s3", "PutObject", Bucket=BUCKET, Key="a b.txt", Body=b"x")
        entry = {"Source": "hears.shop", "DetailType": "paid", "Detail": json.dumps({"total": 7})}
        boto.call("events", "PutEvents", Entries=[entry])
        assert logged(boto, "hears-dev-uploaded", word) == f"{word} {BUCKET} a b.txt"
        assert logged(boto, "hears-dev-happened", word) == f"{word} hears.shop paid 7"
    beat = logged(boto, "hears-dev-each_minute", "Scheduled", patience_s=130)
    assert beat.endswith(" Scheduled Event us-east-1")
    assert len(boto.call("events", "ListRules", NamePrefix="hears-dev-")["Rules"]) == 2
    chalice("delete")
    assert boto.call("events", "ListRules", NamePrefix="hears-dev-")["Rules"] == []
    assert boto.call("s3", "GetBucketNotificationConfiguration", Bucket=BUCKET) == {}
    boto.call("s3", "DeleteObject", Bucket=BUCKET, Key="a b.txt")
    boto.call("s3", "DeleteBucket", Bucket=BUCKET)
