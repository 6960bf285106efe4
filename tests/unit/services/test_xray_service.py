"""What is asked of many traces, and read a few at once."""

from datetime import UTC, datetime

import pytest

from emberbox.clock import ManualClock
from emberbox.errors import CallerError
from emberbox.model.xray.segments import segment_of
from emberbox.services.xray.service import XRayService
from emberbox.storage.traces import TraceStore
from emberbox.telemetry.traces import TraceSink

PLACE = ("123456789012", "us-east-1")
BEGUN = 1_700_000_000.0
TIME = {
    "StartTime": datetime.fromtimestamp(BEGUN - 60, UTC),
    "EndTime": datetime.fromtimestamp(BEGUN + 60, UTC),
}


def trace_id(number):
    return f"1-5759e988-{number:024x}"


@pytest.fixture
async def call(tmp_path, caller):
    """The service, with 263 traces of one segment."""
    store = TraceStore(tmp_path / "traces.db")
    segments = [
        segment_of(
            {
                "id": f"{1:016x}",
                "trace_id": trace_id(number),
                "name": "shop",
                "start_time": BEGUN,
                "end_time": BEGUN + 1,
            }
        )
        for number in range(263)
    ]
    await store.add([(PLACE, each) for each in segments], BEGUN)

    async def may(*_):
        return True

    clock = ManualClock(BEGUN)
    sink = TraceSink(store, may, clock)
    made = caller(XRayService(store, sink, clock), account=PLACE[0], region=PLACE[1])
    made.clock = clock
    yield made
    await store.close()


async def test_summaries_come_in_pages_of_which_none_is_missing(call):
    """Each trace once, and no token after the last."""
    first = await call("GetTraceSummaries", **TIME)
    second = await call("GetTraceSummaries", **TIME, NextToken=first["NextToken"])

    pages = [first["TraceSummaries"], second["TraceSummaries"]]
    assert [each["Id"] for page in pages for each in page] == [trace_id(n) for n in range(263)]
    assert [first["TracesProcessedCount"], second["TracesProcessedCount"]] == [250, 13]
    assert "NextToken" not in second


async def test_a_graph_counts_all_traces_of_a_time_or_those_named(call):
    """However many are read at once."""
    whole = await call("GetServiceGraph", **TIME)
    part = await call("GetTraceGraph", TraceIds=[trace_id(n) for n in (1, 2, 2, 999)])

    def count(answer):
        (shop,) = [each for each in answer["Services"] if "SummaryStatistics" in each]
        return shop["SummaryStatistics"]["TotalCount"]

    assert (count(whole), count(part)) == (263, 2)


async def refusal(call, operation, **params):
    """The code and the text of a refusal."""
    with pytest.raises(CallerError) as refused:
        await call(operation, **params)
    return refused.value.code, refused.value.message


async def test_a_group_is_made_shown_changed_and_removed(call):
    """By its name or its ARN."""
    made = (await call("CreateGroup", GroupName="shops", FilterExpression='service("shop")'))[
        "Group"
    ]
    assert made["GroupARN"].startswith("arn:aws:xray:us-east-1:123456789012:group/shops/")
    assert made["InsightsConfiguration"]["InsightsEnabled"] is False
    assert (await call("GetGroup", GroupARN=made["GroupARN"]))["Group"] == made
    changed = await call("UpdateGroup", GroupName="shops", FilterExpression="fault")
    assert changed["Group"] == {**made, "FilterExpression": "fault"}
    listed = (await call("GetGroups"))["Groups"]
    assert [each["GroupName"] for each in listed] == ["Default", "shops"]
    await call("DeleteGroup", GroupName="shops")
    assert (await refusal(call, "GetGroup", GroupName="shops"))[0] == "InvalidRequestException"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("CreateGroup", {"GroupName": "Default"}),
        ("CreateGroup", {"GroupName": "there"}),
        ("CreateGroup", {"GroupName": "new", "FilterExpression": "nonsense ="}),
        ("CreateGroup", {"GroupName": "new", "FilterExpression": 'group.name = "there"'}),
        ("CreateGroup", {"GroupName": "new", "InsightsConfiguration": {"InsightsEnabled": True}}),
        ("UpdateGroup", {"GroupName": "Default", "FilterExpression": "fault"}),
        ("UpdateGroup", {"GroupName": "there", "FilterExpression": "("}),
        ("DeleteGroup", {"GroupName": "Default"}),
        ("GetGroup", {}),
        ("GetServiceGraph", {**TIME, "GroupName": "nowhere"}),
        ("GetTraceSummaries", {**TIME, "FilterExpression": 'group.name = "nowhere"'}),
        ("GetTimeSeriesServiceStatistics", {**TIME, "Period": 61}),
        ("GetTimeSeriesServiceStatistics", {**TIME, "ForecastStatistics": True}),
        ("GetTimeSeriesServiceStatistics", {**TIME, "EntitySelectorExpression": "fault"}),
        ("GetInsightSummaries", {**TIME, "GroupName": "nowhere"}),
        ("GetInsight", {"InsightId": "0" * 8}),
        ("PutEncryptionConfig", {"Type": "KMS", "KeyId": "alias/mine"}),
        (
            "UpdateIndexingRule",
            {"Name": "Default", "Rule": {"Probabilistic": {"DesiredSamplingPercentage": 5.0}}},
        ),
        ("UpdateTraceSegmentDestination", {"Destination": "CloudWatchLogs"}),
    ],
)
async def test_what_has_no_effect_or_no_sense_is_refused(call, operation, params):
    """Nothing is taken and then passed over."""
    await call("CreateGroup", GroupName="there")
    assert (await refusal(call, operation, **params))[0] == "InvalidRequestException"


async def test_a_group_keeps_to_its_traces(call):
    """In graphs and in statistics; the one named Default has all."""
    await call("CreateGroup", GroupName="none", FilterExpression="fault")

    async def counts(group):
        graph = await call("GetServiceGraph", **TIME, GroupName=group)
        points = await call("GetTimeSeriesServiceStatistics", **TIME, GroupName=group, Period=300)
        totals = [
            each["ServiceSummaryStatistics"]["TotalCount"]
            for each in points["TimeSeriesServiceStatistics"]
        ]
        return len(graph["Services"]), totals

    assert await counts("Default") == (2, [263])
    assert await counts("none") == (0, [])


async def test_groups_and_rules_have_tags(call):
    """From their beginning, or later; they go with them."""
    tags = [{"Key": "team", "Value": "red"}]
    group = (await call("CreateGroup", GroupName="g", Tags=tags))["Group"]["GroupARN"]
    rule = {
        "RuleName": "r",
        "ResourceARN": "*",
        "Priority": 1,
        "FixedRate": 0.1,
        "ReservoirSize": 1,
        "ServiceName": "*",
        "ServiceType": "*",
        "Host": "*",
        "HTTPMethod": "*",
        "URLPath": "*",
        "Version": 1,
    }
    made = await call("CreateSamplingRule", SamplingRule=rule, Tags=tags)
    of_rule = made["SamplingRuleRecord"]["SamplingRule"]["RuleARN"]
    await call("TagResource", ResourceARN=group, Tags=[{"Key": "size", "Value": "2"}])
    await call("UntagResource", ResourceARN=of_rule, TagKeys=["team"])

    async def tags_of(arn):
        listed = (await call("ListTagsForResource", ResourceARN=arn))["Tags"]
        return {tag["Key"]: tag["Value"] for tag in listed}

    assert await tags_of(group) == {"team": "red", "size": "2"}
    assert await tags_of(of_rule) == {}
    many = [{"Key": f"k{n}", "Value": ""} for n in range(49)]
    found = await refusal(call, "TagResource", ResourceARN=group, Tags=many)
    assert found[0] == "TooManyTagsException"
    assert await tags_of(group) == {"team": "red", "size": "2"}
    await call("DeleteGroup", GroupName="g")
    found = await refusal(call, "ListTagsForResource", ResourceARN=group)
    assert found[0] == "ResourceNotFoundException"


async def test_settings_are_told_as_they_are(call):
    """Nothing is encrypted by a key, all is indexed and kept here, and no insight is found."""
    config = (await call("GetEncryptionConfig"))["EncryptionConfig"]
    assert config == {"Status": "ACTIVE", "Type": "NONE"}
    assert (await call("PutEncryptionConfig", Type="NONE"))["EncryptionConfig"] == config
    (rule,) = (await call("GetIndexingRules"))["IndexingRules"]
    assert rule["Rule"]["Probabilistic"]["ActualSamplingPercentage"] == 100
    kept = await call("GetTraceSegmentDestination")
    assert kept["Destination"] == "XRay"
    assert await call("UpdateTraceSegmentDestination", Destination="XRay") == kept
    insights = await call("GetInsightSummaries", **TIME, GroupName="Default")
    assert insights == {"InsightSummaries": []}


async def test_what_clients_tell_of_their_sampling_is_summed_by_the_minute(call):
    """For ten minutes, each account's own."""
    clock = call.clock

    async def tell(client, requests, sampled):
        await call(
            "GetSamplingTargets",
            SamplingStatisticsDocuments=[
                {
                    "RuleName": "Default",
                    "ClientID": client,
                    "Timestamp": TIME["StartTime"],
                    "RequestCount": requests,
                    "SampledCount": sampled,
                }
            ],
        )

    async def told(caller):
        listed = (await caller("GetSamplingStatisticSummaries"))["SamplingStatisticSummaries"]
        return [(each["RequestCount"], each["SampledCount"]) for each in listed]

    await tell("a" * 24, 7, 2)
    await tell("b" * 24, 3, 1)
    clock.advance(60)
    await tell("a" * 24, 5, 0)
    assert await told(call) == [(10, 3), (5, 0)]
    assert await told(call.as_(account="999999999999")) == []
    clock.advance(9 * 60)
    assert await told(call) == [(5, 0)]
