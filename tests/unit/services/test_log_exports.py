"""Exports of log groups to buckets, fields of groups, saved queries and brief lists."""

import gzip
import json
from contextlib import AsyncExitStack

import pytest

from emberbox.clock import ManualClock
from emberbox.errors import CallerError
from emberbox.model.log_export import EXPORT_MOVES, ExportState, line
from emberbox.parts.log_exports import LogBucket
from emberbox.parts.objects import CodeObjects, Objects
from emberbox.services.logs import exporting
from emberbox.services.logs.service import LogsService
from emberbox.services.s3.service import S3Service
from emberbox.settings import AuthMode
from emberbox.storage.database import Database
from emberbox.storage.log_filters import LogFilterStore
from emberbox.storage.logs import LogStore
from emberbox.storage.shelf import ShelfKey
from emberbox.telemetry.logs import LogSink

ACCOUNT = "123456789012"
NOW = 1_700_000_000_000
SPAN = {"from": NOW - 60_000, "to": NOW + 60_000}
DENIED = (
    "{} call on the given bucket failed. Please check if CloudWatch Logs has been granted "
    "permission to perform this operation."
)


class Exports:
    """Logs and buckets in a directory."""

    def __init__(self, place, caller, stack):
        self.place, self.caller, self.stack = place, caller, stack
        self.clock = ManualClock()

    async def open(self):
        database = await Database.open(
            self.place / "logs.db", "logs", ("logs", "documents"), durable=False
        )
        self.stack.push_async_callback(database.close)
        store = LogStore(database)
        sink = await LogSink.open(store, self.place / "journal", self.clock)
        self.stack.push_async_callback(sink.close)
        self.service = LogsService(store, LogFilterStore(database), sink, self.clock)
        await self.service.load()
        self.stack.push_async_callback(self.service.close)
        self.s3 = await S3Service.start(self.place, self.clock, self.stack)
        self.logs, self.buckets = self.caller(self.service), self.caller(self.s3)
        return self

    def begin(self, policies=None):
        objects = Objects(self.s3, self.s3.blobs, CodeObjects(self.s3.blobs), AuthMode.OPEN)
        self.service.exporter.open(LogBucket(objects, policies))
        return self

    async def put(self, stream, *events, group="g"):
        await self.logs("CreateLogStream", logGroupName=group, logStreamName=stream)
        made = [{"timestamp": when, "message": message} for when, message in events]
        await self.logs("PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=made)

    async def export(self, **params):
        """The export once it is over."""
        asked = {"logGroupName": "g", "destination": "kept"} | SPAN | params
        id_ = (await self.logs("CreateExportTask", **asked))["taskId"]
        return await self.over(id_)

    async def over(self, id_):
        await self.service.exporter.finished(ShelfKey(ACCOUNT, "us-east-1", id_))
        (found,) = (await self.logs("DescribeExportTasks", taskId=id_))["exportTasks"]
        return found

    async def keys(self):
        found = await self.buckets("ListObjectsV2", Bucket="kept")
        return [each["Key"] for each in found.get("Contents", [])]

    async def text(self, key):
        return (await self.buckets("GetObject", Bucket="kept", Key=key))["Body"]


@pytest.fixture
async def exports(tmp_path, caller):
    async with AsyncExitStack() as stack:
        made = await Exports(tmp_path, caller, stack).open()
        await made.logs("CreateLogGroup", logGroupName="g")
        await made.buckets("CreateBucket", Bucket="kept")
        yield made


async def test_an_export_writes_a_compressed_object_a_stream(exports):
    """Each with its events of that time in lines; the test object is beside them."""
    exports.begin()
    await exports.put("a/b", (NOW - 1, "one\n"), (NOW, "two"))
    await exports.put("old", (NOW - 90_000, "before"))
    found = await exports.export(taskName="nightly", destinationPrefix="p")
    assert found["status"] == {"code": "COMPLETED", "message": "Completed successfully"}
    assert (found["taskName"], found["destinationPrefix"]) == ("nightly", "p")
    assert found["executionInfo"] == {"creationTime": NOW, "completionTime": NOW}
    key = f"p/{found['taskId']}/a-b/000000.gz"
    assert sorted(await exports.keys()) == sorted(["p/aws-logs-write-test", key])
    assert gzip.decompress(await exports.text(key)) == (
        b"2023-11-14T22:13:19.999Z one\n2023-11-14T22:13:20.000Z two\n"
    )
    assert await exports.text("p/aws-logs-write-test") == b"Permission Check Successful"


async def test_large_streams_make_several_objects(exports, monkeypatch):
    """Nothing is left out between them."""
    monkeypatch.setattr(exporting, "_OBJECT_BYTES", 400)
    monkeypatch.setattr(exporting, "_PAGE", 7)
    exports.begin()
    await exports.put("s", *((NOW + n, f"event {n}") for n in range(100)))
    await exports.put("other", (NOW, "not wanted"))
    found = await exports.export(logStreamNamePrefix="s")
    keys = sorted(key for key in await exports.keys() if key.endswith(".gz"))
    assert len(keys) > 3
    assert all(key.startswith(f"exportedlogs/{found['taskId']}/s/") for key in keys)
    lines = b"".join([gzip.decompress(await exports.text(key)) for key in keys]).splitlines()
    assert [each.split(b" ", 1)[1] for each in lines] == [b"event %d" % n for n in range(100)]


async def test_an_export_that_was_cut_off_begins_again(exports):
    """It is on disk before it is answered for, and the next server carries it out."""
    await exports.put("s", (NOW, "kept"))
    id_ = await interrupted(exports)
    exports.begin()
    assert (await exports.over(id_))["status"]["code"] == "COMPLETED"
    assert f"exportedlogs/{id_}/s/000000.gz" in await exports.keys()


async def interrupted(exports):
    """An export that a server had begun when it was killed."""
    exports.begin()
    id_ = (await exports.logs("CreateExportTask", logGroupName="g", destination="kept", **SPAN))[
        "taskId"
    ]
    await exports.service.close()
    await exports.open()
    (found,) = (await exports.logs("DescribeExportTasks", taskId=id_))["exportTasks"]
    assert found["status"]["code"] in ("PENDING", "RUNNING")
    return id_


async def test_one_export_at_a_time_and_it_can_be_cancelled(exports):
    """A second one is refused while the first is active; what is over cannot be cancelled."""
    await exports.put("s", (NOW, "kept"))
    id_ = await interrupted(exports)
    with pytest.raises(CallerError) as refused:
        await exports.export()
    assert refused.value.code == "LimitExceededException"
    await exports.logs("CancelExportTask", taskId=id_)
    assert (await exports.over(id_))["status"] == {"code": "CANCELLED"}
    with pytest.raises(CallerError) as refused:
        await exports.logs("CancelExportTask", taskId=id_)
    assert refused.value.code == "InvalidOperationException"
    exports.begin()
    assert (await exports.export())["status"]["code"] == "COMPLETED"
    listed = await exports.logs("DescribeExportTasks", statusCode="CANCELLED")
    assert [each["taskId"] for each in listed["exportTasks"]] == [id_]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"logGroupName": "none"}, "ResourceNotFoundException"),
        ({"destination": "no-such-bucket"}, "InvalidParameterException"),
        ({"from": NOW + 2, "to": NOW + 1}, "InvalidParameterException"),
        ({"to": NOW - 30_000}, "InvalidParameterException"),
        ({"destinationPrefix": "x" * 1_025}, "InvalidParameterException"),
    ],
)
async def test_what_cannot_be_exported_is_refused(exports, changes, code):
    """Nothing is begun."""
    exports.begin()
    with pytest.raises(CallerError) as refused:
        await exports.export(**changes)
    assert refused.value.code == code
    assert (await exports.logs("DescribeExportTasks"))["exportTasks"] == []


def policy(*actions, account=ACCOUNT, principal="logs.us-east-1.amazonaws.com"):
    """A bucket policy for CloudWatch Logs, as the user guide has it."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": principal},
                    "Action": action,
                    "Resource": "arn:aws:s3:::kept" + ("/*" if "Put" in action else ""),
                    "Condition": {
                        "StringEquals": {"aws:SourceAccount": account}
                        | ({"s3:x-amz-acl": "bucket-owner-full-control"} if "Put" in action else {})
                    },
                }
                for action in actions
            ],
        }
    )


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        (None, "GetBucketAcl"),
        (policy("s3:GetBucketAcl"), "PutObject"),
        (policy("s3:PutObject"), "GetBucketAcl"),
        (policy("s3:GetBucketAcl", "s3:PutObject", account="210987654321"), "GetBucketAcl"),
        (policy("s3:GetBucketAcl", "s3:PutObject"), None),
        (policy("s3:GetBucketAcl", "s3:PutObject", principal="logs.amazonaws.com"), None),
    ],
)
async def test_a_buckets_policy_decides_where_policies_are_enforced(exports, text, refused):
    """Both rights must be given, to either name of CloudWatch Logs, for this account."""
    exports.begin(exports.s3.policies.of)
    if text is not None:
        await exports.buckets("PutBucketPolicy", Bucket="kept", Policy=text)
    if refused is None:
        assert (await exports.export())["status"]["code"] == "COMPLETED"
        return
    with pytest.raises(CallerError) as error:
        await exports.export()
    assert error.value.message == DENIED.format(refused)


def test_the_states_of_exports_end():
    """From each active state one comes to an end, from an end nowhere."""
    for state in ExportState:
        seen, todo = {state}, [state]
        while todo:
            more = EXPORT_MOVES[todo.pop()] - seen
            seen |= more
            todo += more
        assert any(not each.is_active for each in seen)
        assert state.is_active == bool(EXPORT_MOVES[state])


def test_a_line_has_its_time_to_the_millisecond():
    """And one line end."""
    assert line(0, "x\n") == "1970-01-01T00:00:00.000Z x\n"
    assert line(253_402_300_799_999, "x\n\n") == "9999-12-31T23:59:59.999Z x\n\n"


async def test_fields_of_a_group_are_told_with_their_frequency(exports):
    """Those of the last quarter of an hour, or around a time."""
    await exports.put("s", (NOW - 2_000_000, '{"old": 1}'), (NOW - 1, '{"a": 1}'), (NOW, "text"))
    found = (await exports.logs("GetLogGroupFields", logGroupName="g"))["logGroupFields"]
    percents = {each["name"]: each["percent"] for each in found}
    assert percents == {
        "@ingestionTime": 100,
        "@log": 100,
        "@logStream": 100,
        "@message": 100,
        "@timestamp": 100,
        "a": 50,
    }
    then = await exports.logs("GetLogGroupFields", logGroupIdentifier="g", time=NOW // 1000 - 2_000)
    assert {"name": "old", "percent": 100} in then["logGroupFields"]


async def test_queries_are_saved_changed_listed_and_forgotten(exports):
    """An update replaces all of one; they outlive the server."""
    saved = {"name": "errors", "queryString": "filter @message like /x/", "logGroupNames": ["g"]}
    id_ = (await exports.logs("PutQueryDefinition", **saved))["queryDefinitionId"]
    await exports.logs("PutQueryDefinition", name="all", queryString="fields @message")
    changed = {"name": "errors", "queryString": "filter x = 1"}
    await exports.logs("PutQueryDefinition", queryDefinitionId=id_, **changed)
    await exports.service.close()
    await exports.open()
    found = await exports.logs("DescribeQueryDefinitions", queryDefinitionNamePrefix="err")
    assert found["queryDefinitions"] == [
        {"queryDefinitionId": id_, "queryLanguage": "CWLI", "lastModified": NOW, **changed}
    ]
    first = await exports.logs("DescribeQueryDefinitions", maxResults=1)
    assert [each["name"] for each in first["queryDefinitions"]] == ["all"]
    await exports.logs("DeleteQueryDefinition", queryDefinitionId=id_)
    with pytest.raises(CallerError) as refused:
        await exports.logs("DeleteQueryDefinition", queryDefinitionId=id_)
    assert refused.value.code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ["/aws/lambda/f", "g", "shop"]),
        ({"logGroupNamePattern": "^/aws"}, ["/aws/lambda/f"]),
        ({"logGroupNamePattern": "hop|^/aws"}, ["/aws/lambda/f", "shop"]),
        ({"logGroupTags": [{"key": "team"}]}, ["/aws/lambda/f", "shop"]),
        ({"logGroupTags": [{"key": "team", "values": ["RE*"]}]}, ["/aws/lambda/f"]),
        ({"logGroupTags": [{"key": "team", "values": ["!red"]}]}, ["shop"]),
        ({"logGroupTags": [{"key": "team", "values": ["Red"]}]}, []),
        ({"logGroupClass": "DELIVERY"}, []),
    ],
)
async def test_groups_are_listed_in_brief(exports, asked, names):
    """By patterns of names, tags and class, in pages."""
    await exports.logs("CreateLogGroup", logGroupName="/aws/lambda/f", tags={"team": "red"})
    await exports.logs("CreateLogGroup", logGroupName="shop", tags={"team": "blue"})
    found, token = [], {}
    while True:
        page = await exports.logs("ListLogGroups", limit=2, **asked, **token)
        found += [each["logGroupName"] for each in page["logGroups"]]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert found == names
