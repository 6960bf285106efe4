"""Rules of S3 that are pure: names, the order of keys, ranges, conditions, events."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.s3_conditions import (
    Span,
    UnsatisfiableError,
    Verdict,
    judge_read,
    read_range,
)
from emberbox.model.s3_events import (
    BUS,
    Circumstances,
    event_record,
    overlap,
    setup_event,
    targets_of,
)
from emberbox.model.s3_keys import (
    after_prefix,
    common_prefix,
    copy_source,
    first_after,
    is_bucket_name,
)

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
MODIFIED = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("name", ["abc", "a.b-c", "1bucket", "a" * 63])
def test_good_bucket_names(name):
    """Lower case letters, digits, dots and hyphens."""
    assert is_bucket_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 64,
        "Abc",
        "a..b",
        "1.2.3.4",
        "-ab",
        "ab-",
        "a_b",
        "xn--a",
        "a--x-s3",
        "a/b",
        "...",
    ],
)
def test_bad_bucket_names(name):
    """Anything else, and what AWS has set aside."""
    assert not is_bucket_name(name)


@given(TEXT, TEXT)
def test_what_is_after_a_prefix_is_behind_all_that_begin_with_it(prefix, rest):
    """In the order of UTF-8 bytes, and nothing between is lost."""
    behind = after_prefix(prefix)
    if behind is None:
        assert set(prefix) <= {"\U0010ffff"}
        return
    assert (prefix + rest).encode() < behind.encode()
    assert not behind.startswith(prefix)


@given(TEXT, st.sampled_from(["/", "ab", "é"]), TEXT)
def test_a_common_prefix_begins_with_the_prefix_and_ends_with_the_delimiter(prefix, delimiter, key):
    """It is a beginning of the key, with one delimiter behind the prefix."""
    found = common_prefix(prefix + key, prefix, delimiter)
    if delimiter not in key:
        assert found is None
    else:
        assert (prefix + key).startswith(found)
        assert found.startswith(prefix)
        assert found[len(prefix) :].find(delimiter) == len(found) - len(prefix) - len(delimiter)


def test_a_marker_that_is_a_common_prefix_passes_over_all_of_it():
    """Else a list with a delimiter would never end."""
    assert first_after("a/", "", "/") == "a0"
    assert first_after("a/", "", "") == "a/\0"
    assert first_after("a", "", "/") == "a\0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=2-", Span(2, 10)),
        ("bytes=-3", Span(7, 10)),
        ("bytes=-30", Span(0, 10)),
        ("bytes=5-100", Span(5, 10)),
        ("bytes=5-4", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=-", None),
        (None, None),
    ],
)
def test_ranges_of_ten_bytes(text, expected):
    """What is no single range of bytes is passed over."""
    assert read_range(text, 10) == expected


@pytest.mark.parametrize(("text", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0)])
def test_ranges_without_a_byte(text, size):
    """They cannot be satisfied."""
    with pytest.raises(UnsatisfiableError):
        read_range(text, size)


LATER, EARLIER = MODIFIED + timedelta(seconds=1), MODIFIED - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("conditions", "verdict"),
    [
        ({}, Verdict.PASS),
        ({"IfMatch": '"e"'}, Verdict.PASS),
        ({"IfMatch": "*"}, Verdict.PASS),
        ({"IfMatch": '"x", "e"'}, Verdict.PASS),
        ({"IfMatch": '"x"'}, Verdict.FAILED),
        ({"IfNoneMatch": '"x"'}, Verdict.PASS),
        ({"IfNoneMatch": '"e"'}, Verdict.NOT_MODIFIED),
        ({"IfModifiedSince": MODIFIED}, Verdict.NOT_MODIFIED),
        ({"IfModifiedSince": EARLIER}, Verdict.PASS),
        ({"IfUnmodifiedSince": EARLIER}, Verdict.FAILED),
        ({"IfUnmodifiedSince": MODIFIED}, Verdict.PASS),
        ({"IfMatch": '"e"', "IfUnmodifiedSince": EARLIER}, Verdict.PASS),
        ({"IfNoneMatch": '"x"', "IfModifiedSince": LATER}, Verdict.PASS),
    ],
)
def test_conditions_of_reads(conditions, verdict):
    """The table of the API reference: entity tags win over dates."""
    assert judge_read(conditions, "e", MODIFIED).verdict is verdict


def configuration(events, prefix="", suffix="", arn="arn:f"):
    rules = [{"Name": "Prefix", "Value": prefix}, {"Name": "suffix", "Value": suffix}]
    return {
        "Id": "c",
        "Events": events,
        "LambdaFunctionArn": arn,
        "Filter": {"Key": {"FilterRules": rules}},
    }


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((["s3:ObjectCreated:*"],), (["s3:ObjectCreated:Put"],), True),
        ((["s3:ObjectCreated:Put"],), (["s3:ObjectCreated:Copy"],), False),
        ((["s3:ObjectCreated:*"], "a/"), (["s3:ObjectCreated:*"], "b/"), False),
        ((["s3:ObjectCreated:*"], "a/"), (["s3:ObjectCreated:*"], "a/b"), True),
        ((["s3:ObjectCreated:*"], "", ".jpg"), (["s3:ObjectCreated:*"], "", ".png"), False),
        ((["s3:ObjectCreated:*"], "a", ".jpg"), (["s3:ObjectCreated:*"], "a", "g"), True),
        ((["s3:ObjectCreated:*"], "a", ".jpg"), (["s3:ObjectCreated:*"], "b", ".jpg"), False),
    ],
)
def test_configurations_that_overlap(first, second, expected):
    """Same events, and prefixes and suffixes that one key can have."""
    one, other = configuration(*first), configuration(*second)
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected


def test_targets_are_those_whose_filter_fits():
    """By event, prefix and suffix; the bus hears everything that has a detail type."""
    document = {
        "LambdaFunctionConfigurations": [
            configuration(["s3:ObjectCreated:*"], "in/", ".jpg", "arn:1"),
            configuration(["s3:ObjectRemoved:Delete"], arn="arn:2"),
        ],
        "EventBridgeConfiguration": {},
    }

    assert list(targets_of(document, "ObjectCreated:Put", "in/a.jpg")) == [
        ("arn:1", "c"),
        (BUS, ""),
    ]
    assert list(targets_of(document, "ObjectCreated:Put", "out/a.jpg")) == [(BUS, "")]
    assert [t for t, _ in targets_of(document, "ObjectRemoved:Delete", "x")] == ["arn:2", BUS]


AROUND = Circumstances(
    "ObjectCreated:Put",
    1_767_225_600.1239,
    "eu-west-1",
    "r-1",
    "AIDA",
    "10.0.0.1",
    "1234",
    "PutObject",
)
OBJECT = {
    "bucket": "b",
    "owner": "123456789012",
    "key": "a b/é+.jpg",
    "number": 255,
    "size": 3,
    "etag": "e",
}


def test_the_record_that_functions_get():
    """As the user guide prints it; keys are encoded as in forms."""
    text = event_record(AROUND, "c", **OBJECT, version=None, is_bus=False)
    (record,) = json.loads(text)["Records"]

    assert record["eventVersion"] == "2.1"
    assert record["eventSource"] == "aws:s3"
    assert record["eventTime"] == "2026-01-01T00:00:00.123Z"
    assert record["eventName"] == "ObjectCreated:Put"
    assert record["responseElements"] == {"x-amz-request-id": "r-1", "x-amz-id-2": "r1="}
    assert record["s3"]["bucket"]["arn"] == "arn:aws:s3:::b"
    assert record["s3"]["configurationId"] == "c"
    assert record["s3"]["object"] == {
        "key": "a+b/%C3%A9%2B.jpg",
        "size": 3,
        "eTag": "e",
        "sequencer": "0000000000000000FF",
    }


def test_records_of_removals_have_no_size():
    """Nor an entity tag; versions are named where there are some."""
    around = AROUND.__class__(*["ObjectRemoved:Delete", *list(_fields(AROUND))[1:]])
    text = event_record(around, "c", **OBJECT, version="v", is_bus=False)

    assert json.loads(text)["Records"][0]["s3"]["object"] == {
        "key": "a+b/%C3%A9%2B.jpg",
        "versionId": "v",
        "sequencer": "0000000000000000FF",
    }


def test_the_entry_that_the_bus_gets():
    """The key as it is, and why it happened."""
    entry = json.loads(event_record(AROUND, "", **OBJECT, version=None, is_bus=True))
    detail = json.loads(entry["Detail"])

    assert (entry["Source"], entry["DetailType"]) == ("aws.s3", "Object Created")
    assert entry["Resources"] == ["arn:aws:s3:::b"]
    assert detail["object"]["key"] == "a b/é+.jpg"
    assert detail["reason"] == "PutObject"
    assert detail["version"] == "0"


def test_the_event_that_says_that_a_target_is_set_up():
    """For queues and topics."""
    event = json.loads(setup_event("b", "r-1", 1_767_225_600.0))

    assert event == {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": "2026-01-01T00:00:00.000Z",
        "Bucket": "b",
        "RequestId": "r-1",
        "HostId": "r1=",
    }


def _fields(around):
    return (getattr(around, name) for name in around.__slots__)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/b/a%2Fb%3Fc", ("b", "a/b?c", None)),
        ("b/k?versionId=v", ("b", "k", "v")),
        ("b/k?%76ersionId=v", ("b", "k", "v")),
        ("b/k?versionId=", ("b", "k", None)),
        ("b", ("b", "", None)),
    ],
)
def test_what_is_copied_is_read_in_one_way(text, expected):
    """For the copy and for the right to it, however a client encodes it."""
    assert copy_source(text) == expected
