"""Lines in the embedded metric format, and lines that are not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.embedded_metrics import Datum, FormatError, TargetError, read

NOW = 1_700_000_000.0
FULL = {"Namespace": "App", "Metrics": [{"Name": "Latency"}] * 100}


def line(*, metrics=None, dimensions=(("Service",),), about=None, directive=None, **root):
    """A line with one directive."""
    if metrics is None:
        metrics = [{"Name": "Latency", "Unit": "Milliseconds"}]
    given = {"Namespace": "App", "Dimensions": dimensions, "Metrics": metrics} | (directive or {})
    head = {"Timestamp": int(NOW * 1000), "CloudWatchMetrics": [given]} | (about or {})
    return json.dumps({"_aws": head, "Service": "a", "Latency": 12.5} | root).encode()


def test_each_metric_has_each_set_of_dimensions():
    """With its unit, in the minute of the timestamp; a list has many values."""
    both = line(dimensions=[["Service"], []], Latency=[1, 2.5])

    minute = int(NOW) - int(NOW) % 60
    assert read(both, NOW) == [
        Datum("App", "Latency", (("Service", "a"),), "Milliseconds", minute, (1.0, 2.5)),
        Datum("App", "Latency", (), "Milliseconds", minute, (1.0, 2.5)),
    ]


def test_high_resolution_keeps_the_second():
    """StorageResolution 1."""
    [datum] = read(line(metrics=[{"Name": "Latency", "StorageResolution": 1}]), NOW)

    assert (datum.at_s, datum.unit) == (int(NOW), "None")


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"plain", b'{"_aws": ', b'{"_aws": 1}', b'{"_aws": {}}', b'["_aws"]', b"{" * 9999),
        line(Latency=float("nan")),
        line(about={"Timestamp": 10**400}),
        line(directive={"Namespace": "\ud800"}),
    ],
)
def test_other_lines_are_no_metrics(text):
    """Whatever they look like."""
    assert read(text, NOW) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"about": {"Timestamp": "now"}},
        {"about": {"CloudWatchMetrics": {}}},
        {"about": {"CloudWatchMetrics": [1]}},
        {"directive": {"Namespace": ""}},
        {"directive": {"Dimensions": [["Service"] * 31]}},
        {"metrics": [{"Name": "Latency"}] * 101},
        {"metrics": [{"Unit": "Count"}]},
        {"metrics": [{"Name": "Latency", "Unit": "Parsecs"}]},
        {"metrics": [{"Name": "Latency", "Unit": ["Count"]}]},
        {"metrics": [{"Name": "Latency", "StorageResolution": 5}]},
    ],
)
def test_a_wrong_shape_is_a_parsing_error(changes):
    """Which AWS counts as EMFParsingErrors."""
    with pytest.raises(FormatError):
        read(line(**changes), NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": [{"Name": "Latency"}] * 11, "dimensions": [[]] * 10},
        {"about": {"CloudWatchMetrics": [FULL] * 2}},
        {"metrics": [{"Name": "Latency"}] * 11, "Latency": [1] * 100},
        {"metrics": [{"Name": "Latency"}] * 50, "dimensions": [], "Latency": [1] * 100},
    ],
)
def test_lists_that_multiply_are_a_parsing_error(changes):
    """Each is short enough by itself; what a line holds in all is bounded before it is built."""
    with pytest.raises(FormatError, match="too many"):
        read(line(**changes), NOW)


def test_a_line_is_full_at_its_bounds():
    """A hundred data points of ten values each."""
    full = line(
        metrics=[{"Name": "Latency"}] * 50, dimensions=[[], ["Service"]], Latency=[1.0] * 10
    )

    assert len(read(full, NOW)) == 100


@pytest.mark.parametrize(
    "changes",
    [
        {"about": {"Timestamp": int(NOW * 1000) - 15 * 86_400_000}},
        {"about": {"Timestamp": int(NOW * 1000) + 3 * 3_600_000}},
        {"directive": {"Namespace": "AWS/Lambda"}},
        {"dimensions": [["Missing"]]},
        {"Service": 7},
        {"Latency": "slow"},
        {"Latency": True},
        {"Latency": []},
        {"Latency": [1] * 101},
        {"Latency": 1e300},
    ],
)
def test_values_that_are_none_are_validation_errors(changes):
    """Which AWS counts as EMFValidationErrors."""
    with pytest.raises(TargetError):
        read(line(**changes), NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["Namespace", "Dimensions", "Metrics", "Name", "Unit", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(JSON, JSON)
def test_nothing_a_function_prints_breaks_the_reader(directives, value):
    """It gives data points, or one of the two errors."""
    head = {"Timestamp": int(NOW * 1000), "CloudWatchMetrics": directives}
    text = json.dumps({"_aws": head, "x": value}).encode()
    try:
        found = read(text, NOW)
    except (FormatError, TargetError):
        return
    assert all(isinstance(datum, Datum) for datum in found)
