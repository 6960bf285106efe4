"""CloudWatch as its clients see it."""

import pytest

from emberbox.clock import ManualClock, utc
from emberbox.errors import CallerError
from emberbox.model.metrics import Dimension, SeriesKey
from emberbox.services.cloudwatch.service import CloudWatchService
from emberbox.storage.alarms import AlarmStore
from emberbox.storage.database import Database
from emberbox.storage.metrics import MetricStore
from emberbox.telemetry.metrics import MetricSink

NOW = 1_700_000_000
MINUTE = NOW - NOW % 60
TOPIC = "arn:aws:sns:us-east-1:123456789012:t"


class KilledError(Exception):
    """The server ends here."""


class Place:
    """A CloudWatch with a clock that moves when told."""

    def __init__(self, database, caller):
        self.begun_on = (database, caller)
        self.clock = ManualClock(NOW)
        self.sink = MetricSink(MetricStore(database), self.clock)
        self.acted = []
        self.refuse = None
        self.killed_at = None
        self.service = CloudWatchService(
            MetricStore(database), AlarmStore(database), self.sink, self.clock, self._act
        )
        self.call = caller(self.service)

    async def _act(self, arn, message, event):
        if self.refuse:
            raise self.refuse
        if arn == self.killed_at:
            raise KilledError
        self.acted.append((arn, message, event))

    async def put(self, value, name="Jobs", **datum):
        """One value of a metric of now."""
        data = [{"MetricName": name, "Value": value, **datum}]
        await self.call("PutMetricData", Namespace="App", MetricData=data)

    async def minutes(self, count=1):
        """Let minutes pass, with alarms evaluated in each."""
        for _ in range(count):
            self.clock.advance(60)
            await self.service.alarm_clock.look()


@pytest.fixture
async def place(tmp_path, caller):
    database = await Database.open(tmp_path / "metrics.db", "metrics", durable=False)
    yield Place(database, caller)
    await database.close()


def window(seconds=3_600):
    """Start and end around now."""
    return {"StartTime": utc(NOW - seconds), "EndTime": utc(NOW + seconds)}


async def statistics(place, *wanted, period=60, name="Jobs", **more):
    """Data points of GetMetricStatistics, oldest first."""
    answer = await place.call(
        "GetMetricStatistics",
        Namespace="App",
        MetricName=name,
        Period=period,
        Statistics=list(wanted),
        **window(),
        **more,
    )
    return sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])


async def test_what_was_put_is_there_at_once(place):
    """With its statistics by the minute."""
    for value in (1, 2, 6):
        await place.put(value, Unit="Count")

    [point] = await statistics(place, "Sum", "Average", "Maximum", "SampleCount")

    assert point == {
        "Timestamp": utc(MINUTE),
        "Unit": "Count",
        "Sum": 9,
        "Average": 3,
        "Maximum": 6,
        "SampleCount": 3,
    }


async def test_dimensions_tell_series_apart(place):
    """In whatever order they are given; a metric without is another one."""
    ab = [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]
    await place.put(5, Dimensions=ab)
    await place.put(7)

    [with_both] = await statistics(place, "Sum", Dimensions=ab[::-1])
    [without] = await statistics(place, "Sum")

    assert (with_both["Sum"], without["Sum"]) == (5, 7)
    assert await statistics(place, "Sum", Dimensions=ab[:1]) == []


async def test_what_the_server_counts_is_a_metric_too(place):
    """Added in memory, there when asked for, and after another start."""
    key = SeriesKey("123456789012", "us-east-1", "AWS/Lambda", "Errors", (Dimension("F", "f"),))
    place.sink.add(key, 1)
    place.sink.add(key, 1)

    answer = await place.call(
        "GetMetricStatistics",
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Dimensions=[{"Name": "F", "Value": "f"}],
        Period=60,
        Statistics=["Sum"],
        **window(),
    )

    assert [point["Sum"] for point in answer["Datapoints"]] == [2]


async def test_values_with_counts_have_percentiles(place):
    """A set of statistics has none."""
    await place.call(
        "PutMetricData",
        Namespace="App",
        MetricData=[{"MetricName": "Jobs", "Values": [1, 9], "Counts": [99, 1]}],
    )
    answer = await place.call(
        "GetMetricStatistics",
        Namespace="App",
        MetricName="Jobs",
        Period=60,
        ExtendedStatistics=["p50", "p99.5"],
        **window(),
    )

    assert answer["Datapoints"][0]["ExtendedStatistics"] == {"p50": 1, "p99.5": 9}


@pytest.mark.parametrize(
    ("datum", "code"),
    [
        ({"Value": float("nan")}, "InvalidParameterValueException"),
        ({"Value": 1, "Values": [1]}, "InvalidParameterCombinationException"),
        ({}, "MissingRequiredParameterException"),
        ({"Values": [1], "Counts": [1, 2]}, "InvalidParameterCombinationException"),
        ({"Value": 1, "Timestamp": NOW - 15 * 86_400}, "InvalidParameterValueException"),
        ({"Value": 1, "StorageResolution": 7}, "InvalidParameterValueException"),
    ],
)
async def test_a_bad_datum_is_refused_whole(place, datum, code):
    """And nothing of the request is kept."""
    data = [{"MetricName": "Jobs", "Value": 1}, {"MetricName": "Jobs", **datum}]
    refused = await place.call.refused("PutMetricData", Namespace="App", MetricData=data)

    assert refused[0] == code
    assert await statistics(place, "Sum") == []


async def test_namespaces_of_aws_are_not_a_customers(place):
    """They are the platform's."""
    refused = await place.call.refused(
        "PutMetricData", Namespace="AWS/Lambda", MetricData=[{"MetricName": "m", "Value": 1}]
    )

    assert refused[0] == "InvalidParameterValueException"


async def test_too_many_data_points_are_not_computed(place):
    """The error says what to do."""
    code, _, message = await place.call.refused(
        "GetMetricStatistics",
        Namespace="App",
        MetricName="Jobs",
        Period=1,
        Statistics=["Sum"],
        **window(),
    )

    assert code == "InvalidParameterCombinationException"
    assert "limit of 1,440" in message


async def test_queries_and_expressions(place):
    """Newest first; what is only needed by others is not shown."""
    await place.put(4)
    place.clock.advance(60)
    await place.put(6)
    stat = {"Metric": {"Namespace": "App", "MetricName": "Jobs"}, "Period": 60, "Stat": "Sum"}

    answer = await place.call(
        "GetMetricData",
        MetricDataQueries=[
            {"Id": "double", "Expression": "m1 * 2"},
            {"Id": "m1", "MetricStat": stat, "ReturnData": False},
        ],
        **window(),
    )

    [result] = answer["MetricDataResults"]
    assert (result["Id"], result["Values"]) == ("double", [12.0, 8.0])
    assert result["Timestamps"] == [utc(MINUTE + 60), utc(MINUTE)]


async def test_data_points_come_in_pages(place):
    """The token goes on where the page ended."""
    for _ in range(5):
        await place.put(1)
        place.clock.advance(60)
    stat = {"Metric": {"Namespace": "App", "MetricName": "Jobs"}, "Period": 60, "Stat": "Sum"}
    seen, token = [], {}
    while True:
        answer = await place.call(
            "GetMetricData",
            MetricDataQueries=[{"Id": "a", "MetricStat": stat}, {"Id": "b", "MetricStat": stat}],
            MaxDatapoints=3,
            **window(),
            **token,
        )
        seen += [(r["Id"], at) for r in answer["MetricDataResults"] for at in r["Timestamps"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}

    assert len(seen) == len(set(seen)) == 10


@pytest.mark.parametrize(
    "queries",
    [
        [{"Id": "A", "Expression": "1"}],
        [{"Id": "a", "Expression": "b"}, {"Id": "b", "Expression": "a"}],
        [{"Id": "a", "Expression": "SELECT 1"}],
        [{"Id": "a"}],
        [{"Id": "a", "Expression": "1"}, {"Id": "a", "Expression": "1"}],
    ],
)
async def test_bad_queries_are_refused(place, queries):
    """Ids, circles, languages that are not built."""
    refused = await place.call.refused("GetMetricData", MetricDataQueries=queries, **window())

    assert refused[0] == "ValidationError"


async def test_metrics_are_listed_once_and_in_pages(place):
    """Whatever their units, filtered by name and dimension."""
    for number in range(7):
        await place.put(1, name=f"m{number}", Dimensions=[{"Name": "n", "Value": str(number)}])
    await place.put(1, name="m0", Unit="Count", Dimensions=[{"Name": "n", "Value": "0"}])

    all_of_them = (await place.call("ListMetrics", Namespace="App"))["Metrics"]
    one = await place.call("ListMetrics", Dimensions=[{"Name": "n", "Value": "3"}])

    assert [m["MetricName"] for m in all_of_them] == [f"m{n}" for n in range(7)]
    assert [m["MetricName"] for m in one["Metrics"]] == ["m3"]


ALARM = {
    "AlarmName": "busy",
    "Namespace": "App",
    "MetricName": "Jobs",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 3.0,
    "ComparisonOperator": "GreaterThanThreshold",
    "AlarmActions": [TOPIC],
}


async def described(place, name="busy"):
    """The one alarm of that name."""
    [alarm] = (await place.call("DescribeAlarms", AlarmNames=[name]))["MetricAlarms"]
    return alarm


async def test_an_alarm_goes_off_and_comes_back(place):
    """From insufficient data, with a reason, a history, and its actions run."""
    await place.call("PutMetricAlarm", **ALARM, OKActions=[TOPIC])
    states = [(await described(place))["StateValue"]]
    for value in (5, 1):
        await place.put(value)
        await place.minutes()
        states.append((await described(place))["StateValue"])

    assert states == ["INSUFFICIENT_DATA", "ALARM", "OK"]
    assert [m["NewStateValue"] for _, m, _ in place.acted] == ["ALARM", "OK"]
    assert place.acted[0][1]["Trigger"]["Threshold"] == 3.0
    assert place.acted[0][2]["alarmData"]["state"]["value"] == "ALARM"
    history = await place.call("DescribeAlarmHistory", AlarmName="busy")
    kinds = [item["HistoryItemType"] for item in history["AlarmHistoryItems"]]
    assert kinds == ["Action", "StateUpdate", "Action", "StateUpdate", "ConfigurationUpdate"]


async def test_an_alarm_on_an_expression(place):
    """It compares the query that returns data."""
    stat = {"Metric": {"Namespace": "App", "MetricName": "Jobs"}, "Period": 60, "Stat": "Sum"}
    await place.call(
        "PutMetricAlarm",
        AlarmName="math",
        EvaluationPeriods=1,
        Threshold=9.0,
        ComparisonOperator="GreaterThanThreshold",
        Metrics=[
            {"Id": "m1", "MetricStat": stat, "ReturnData": False},
            {"Id": "e1", "Expression": "m1 * 10"},
        ],
    )
    await place.put(1)
    await place.minutes()

    assert (await described(place, "math"))["StateValue"] == "ALARM"


async def test_an_action_that_a_killed_server_has_not_come_to_is_run_by_the_next(place):
    """Once, and as if nothing had happened; those that were run are not run again."""
    other = f"{TOPIC}2"
    await place.call("PutMetricAlarm", **{**ALARM, "AlarmActions": [TOPIC, other]})
    await place.put(5)
    place.killed_at = other
    with pytest.raises(KilledError):
        await place.minutes()

    following = Place(*place.begun_on)
    for _ in range(2):
        await following.service.alarm_clock.look()

    assert [arn for arn, _, _ in place.acted] == [TOPIC]
    [(arn, message, _)] = following.acted
    assert arn == other
    assert (message["OldStateValue"], message["NewStateValue"]) == ("INSUFFICIENT_DATA", "ALARM")


async def test_nothing_is_caught_up_that_was_not_wanted_then(place):
    """Actions that were switched on since, or given to the alarm since."""
    await place.call("PutMetricAlarm", **ALARM)
    await place.call("DisableAlarmActions", AlarmNames=["busy"])
    await place.put(5)
    await place.minutes()
    await place.call("EnableAlarmActions", AlarmNames=["busy"])
    following = Place(*place.begun_on)
    await following.service.alarm_clock.look()
    await following.call("PutMetricAlarm", **{**ALARM, "AlarmActions": [TOPIC, f"{TOPIC}2"]})
    third = Place(*place.begun_on)
    await third.service.alarm_clock.look()

    assert place.acted == following.acted == third.acted == []


async def test_disabled_actions_do_not_run(place):
    """The state changes all the same."""
    await place.call("PutMetricAlarm", **ALARM)
    await place.call("DisableAlarmActions", AlarmNames=["busy"])
    await place.put(5)
    await place.minutes()

    assert (await described(place))["StateValue"] == "ALARM"
    assert place.acted == []


async def test_a_failed_action_stands_in_the_history(place):
    """With the reason."""
    place.refuse = CallerError("NotFound", "Topic does not exist")
    await place.call("PutMetricAlarm", **ALARM)
    await place.call("SetAlarmState", AlarmName="busy", StateValue="ALARM", StateReason="test")
    history = await place.call("DescribeAlarmHistory", HistoryItemType="Action")

    assert "Topic does not exist" in history["AlarmHistoryItems"][0]["HistorySummary"]


async def test_alarms_are_listed_tagged_and_deleted(place):
    """By name, prefix and state, in pages."""
    for number in range(5):
        await place.call("PutMetricAlarm", **{**ALARM, "AlarmName": f"a{number}"})
    page = await place.call("DescribeAlarms", AlarmNamePrefix="a", MaxRecords=3)
    rest = await place.call(
        "DescribeAlarms", AlarmNamePrefix="a", MaxRecords=3, NextToken=page["NextToken"]
    )
    arn = page["MetricAlarms"][0]["AlarmArn"]
    await place.call("TagResource", ResourceARN=arn, Tags=[{"Key": "k", "Value": "v"}])
    tags = await place.call("ListTagsForResource", ResourceARN=arn)
    await place.call("DeleteAlarms", AlarmNames=[f"a{n}" for n in range(5)])

    names = [a["AlarmName"] for a in page["MetricAlarms"] + rest["MetricAlarms"]]
    assert names == [f"a{n}" for n in range(5)]
    assert tags["Tags"] == [{"Key": "k", "Value": "v"}]
    assert (await place.call("DescribeAlarms"))["MetricAlarms"] == []


async def test_alarms_on_a_metric_are_found(place):
    """By its name and dimensions."""
    await place.call("PutMetricAlarm", **ALARM)

    found = await place.call("DescribeAlarmsForMetric", Namespace="App", MetricName="Jobs")
    other = await place.call("DescribeAlarmsForMetric", Namespace="App", MetricName="Other")

    assert [a["AlarmName"] for a in found["MetricAlarms"]] == ["busy"]
    assert other["MetricAlarms"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"EvaluationWindow": {}},
        {"DatapointsToAlarm": 2},
        {"Statistic": None},
        {"Metrics": [{"Id": "a", "Expression": "1"}]},
        {"ComparisonOperator": "LessThanLowerThreshold"},
        {"Period": 86_400, "EvaluationPeriods": 8},
        {"TreatMissingData": "sometimes"},
    ],
)
async def test_an_alarm_that_cannot_be_kept_is_refused(place, change):
    """No setting is stored and then ignored."""
    settings = {k: v for k, v in {**ALARM, **change}.items() if v is not None}

    await place.call.refused("PutMetricAlarm", **settings)

    assert (await place.call("DescribeAlarms"))["MetricAlarms"] == []


@pytest.mark.parametrize("period", [1, 5, 15, 90])
async def test_an_alarm_looks_at_periods_that_cloudwatch_has(place, period):
    """10, 20, 30 seconds, or whole minutes."""
    with pytest.raises(CallerError, match="Period must be 10, 20, 30 or a multiple of 60"):
        await place.call(
            "PutMetricAlarm",
            AlarmName="a",
            Namespace="App",
            MetricName="Jobs",
            Statistic="Sum",
            Period=period,
            EvaluationPeriods=1,
            Threshold=1.0,
            ComparisonOperator="GreaterThanThreshold",
        )


async def test_data_are_asked_for_by_periods_that_cloudwatch_has(place):
    """Not by any number of seconds."""
    stat = {
        "Metric": {"Namespace": "App", "MetricName": "Jobs"},
        "Period": 7,
        "Stat": "Sum",
    }
    with pytest.raises(CallerError, match="must be a multiple of 60"):
        await place.call(
            "GetMetricData", MetricDataQueries=[{"Id": "m", "MetricStat": stat}], **window()
        )
