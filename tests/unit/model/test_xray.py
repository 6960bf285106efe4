"""Segments of traces: which documents are taken, how they are put together, what can be asked."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.xray.expressions import BadExpressionError, read_expression, read_selector
from emberbox.model.xray.facts import Trace, summary_of
from emberbox.model.xray.graph import Graph
from emberbox.model.xray.segments import (
    BadSegmentError,
    assembled,
    read_datagram,
    read_segment,
    walk,
)
from emberbox.model.xray.statistics import Series

ROOT = "1-5759e988-bd862e3fe1be46a994272793"


def segment(number=1, **more):
    start = more.pop("start", 1_700_000_000.0)
    return {
        "id": f"{number:016x}",
        "trace_id": ROOT,
        "name": "shop",
        "start_time": start,
        "end_time": start + 1,
        **more,
    }


def text(number=1, **more):
    return json.dumps(segment(number, **more))


SHOP = segment(
    1,
    http={"request": {"url": "https://shop/cart", "method": "GET"}, "response": {"status": 200}},
    annotations={"customer": "7", "size": 3, "vip": True},
    user="ann",
    subsegments=[
        {**segment(2, start=1_700_000_000.1), "name": "till", "namespace": "remote"},
        {**segment(3, start=1_700_000_000.2), "name": "DynamoDB", "namespace": "aws"},
    ],
)
TILL = segment(4, name="till", parent_id=f"{2:016x}", start=1_700_000_000.3, fault=True)
TRACE = Trace.of(ROOT, assembled([json.dumps(SHOP), json.dumps(TILL)]))


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{", "ParseError"),
        ("[]", "ParseError"),
        (json.dumps({**segment(), "id": "1"}), "InvalidId"),
        (json.dumps({**segment(), "trace_id": "1-2-3"}), "InvalidTraceId"),
        (json.dumps({**segment(), "name": ""}), "InvalidName"),
        (json.dumps({**segment(), "start_time": "now"}), "InvalidStartTime"),
        (json.dumps({**segment(), "end_time": None}), "InvalidEndTime"),
        (json.dumps({**segment(), "end_time": True}), "InvalidEndTime"),
        (json.dumps({**segment(), "type": "subsegment"}), "InvalidParentId"),
        (json.dumps({**segment(), "metadata": "x" * 70_000}), "SegmentTooLarge"),
    ],
)
def test_what_is_no_segment_is_refused_by_name(document, code):
    """Each fault of a document has its own name."""
    with pytest.raises(BadSegmentError) as caught:
        read_segment(document)
    assert caught.value.code == code


def test_subsegments_nested_without_end_are_refused():
    """No document makes the server walk deeper than anybody needs."""
    nested = segment(9)
    for number in range(100, 300):
        nested = segment(number, subsegments=[nested])
    with pytest.raises(BadSegmentError, match="nested"):
        read_segment(json.dumps(nested))


@given(st.binary(max_size=300))
def test_a_datagram_of_any_bytes_is_a_segment_or_refused(data):
    """Whatever a function sends, nothing else comes of it."""
    with pytest.raises(BadSegmentError):
        read_datagram(data)
    assert read_datagram(b'{"format":"json","version":1}\n' + text().encode()).trace_id == ROOT


def test_subsegments_that_came_by_themselves_are_put_where_they_belong():
    """In whatever order they came; those without their parent stand alone."""
    part = text(5, type="subsegment", parent_id=f"{6:016x}")
    deeper = text(6, type="subsegment", parent_id=f"{1:016x}")
    orphan = text(7, type="subsegment", parent_id="f" * 16)
    found = assembled([part, deeper, orphan, text(1)])
    assert sorted(each["id"] for each in found) == [f"{1:016x}", f"{7:016x}"]
    (whole,) = [each for each in found if each["id"] == f"{1:016x}"]
    assert whole["subsegments"][0]["subsegments"][0]["id"] == f"{5:016x}"


def test_subsegments_that_are_each_others_parents_are_no_endless_loop():
    """A loop is broken where it is found."""
    found = assembled(
        [
            text(1, type="subsegment", parent_id=f"{2:016x}"),
            text(2, type="subsegment", parent_id=f"{1:016x}"),
        ]
    )
    assert len(found) == 1


def test_subsegments_that_came_one_by_one_are_put_no_deeper_than_can_be_written():
    """The others stand alone, none is lost, and nothing is looked through again and again."""
    link = {"type": "subsegment", "metadata": json.loads("[" * 40 + "]" * 40)}
    chain = [text(n, parent_id=f"{n + 1:016x}", **link) for n in range(1, 3_000)]

    found = assembled([*chain, text(3_000)])

    assert all(orjson.dumps(each) for each in found)
    assert sum(1 for each in found for _ in walk(each)) == 3_000
    assert len(found) < 100


def test_what_is_nested_too_deeply_to_be_written_is_refused():
    """Whatever part of the document it is."""
    deep = json.loads("[" * 200 + "]" * 200)
    with pytest.raises(BadSegmentError, match="nested"):
        read_segment(text(metadata={"x": deep}))
    assert read_segment(text(metadata={"x": [[]] * 200}))


@pytest.mark.parametrize("bad", ["soon", 1e300, [], {}, True, -1])
def test_a_subsegment_with_an_impossible_time_spoils_no_answer(bad):
    """It is as if it had none."""
    call = {"id": f"{2:016x}", "name": "till", "namespace": "remote"}
    parts = [{**call, "start_time": 1_700_000_000, "end_time": bad}, {**call, "start_time": bad}]
    trace = Trace.of(ROOT, assembled([read_segment(text(subsegments=parts)).document]))
    graph = Graph()

    graph.add(trace.calls)

    assert {node["Name"] for node in graph.services()} == {"shop", "till"}
    assert summary_of(trace, 1)["Duration"] == 1


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("", True),
        ("fault", True),
        ("ok", False),
        ("!fault OR throttle = true", False),
        ("fault = true AND NOT throttle", True),
        ("responsetime >= 1 AND duration < 2", True),
        ("responsetime > 1.5", False),
        ('http.url CONTAINS "cart" AND http.method = "GET"', True),
        ('http.url BEGINSWITH "http://"', False),
        ("http.status != 200", False),
        ('user = "ann"', True),
        ('annotation.customer = "7" AND annotation.size > 2 AND annotation.vip = true', True),
        ('annotation[customer] = "8"', False),
        ('annotation["size"] = 3', True),
        ('service("till")', True),
        ('service("till") { fault }', True),
        ('service("shop") { fault }', False),
        ('service(id(name: "DynamoDB", type: "AWS::DynamoDB"))', True),
        ('service(id(type: "AWS::S3"))', False),
        ('edge("shop", "till") { fault AND responsetime >= 1 }', True),
        ('edge("till", "shop")', False),
        ('(service("nobody") OR fault) AND user = "ann"', True),
    ],
)
def test_expressions_hold_of_the_traces_they_mean(expression, holds):
    """The common forms of X-Ray's guide."""
    assert read_expression(expression)(TRACE) is holds


@pytest.mark.parametrize(
    "expression",
    [
        "fault AND",
        "(fault",
        "nonsense = 3",
        "http.status CONTAINS 2",
        'service("a", "b")',
        'edge("a")',
        'group.name = "x"',
        "annotation.x < true",
        "responsetime > soon",
        "fault fault",
        "(" * 60 + "fault" + ")" * 60,
        "x" * 3_000,
        "fault ; drop",
    ],
)
def test_what_is_no_expression_is_refused(expression):
    """Nothing that is not understood is taken to hold."""
    with pytest.raises(BadExpressionError):
        read_expression(expression)


@given(st.text(max_size=80))
def test_any_text_is_an_expression_or_refused(given_text):
    """Whatever is sent, there is no other error."""
    try:
        holds = read_expression(given_text)
    except BadExpressionError:
        return
    assert holds(TRACE) in {True, False}


def test_a_summary_tells_what_the_segments_say():
    """Times, faults, the entry, annotations by service, and all services."""
    summary = summary_of(TRACE, 2)
    assert (summary["Duration"], summary["ResponseTime"]) == (1.3, 1.0)
    assert (summary["HasFault"], summary["HasError"], summary["IsPartial"]) == (True, False, False)
    assert summary["EntryPoint"]["Name"] == "shop"
    assert summary["Http"] == {
        "HttpURL": "https://shop/cart",
        "HttpMethod": "GET",
        "HttpStatus": 200,
    }
    assert summary["Annotations"]["vip"][0]["AnnotationValue"] == {"BooleanValue": True}
    assert [each["Name"] for each in summary["ServiceIds"]] == ["shop", "DynamoDB", "till"]


def test_the_graph_counts_calls_between_services():
    """A called service that sends no segment of its own is inferred; one that does is not twice."""
    graph = Graph()
    graph.add(TRACE.calls)
    nodes = {(node["Name"], node.get("Type", "")): node for node in graph.services()}
    assert set(nodes) == {
        ("shop", "client"),
        ("shop", ""),
        ("till", ""),
        ("DynamoDB", "AWS::DynamoDB"),
    }
    shop, till = nodes["shop", ""], nodes["till", ""]
    edges = {edge["ReferenceId"]: edge["SummaryStatistics"] for edge in shop["Edges"]}
    assert edges[till["ReferenceId"]]["FaultStatistics"]["TotalCount"] == 1
    assert shop["Root"]
    assert "Root" not in till


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ('group.name = "shops"', True),
        ('group.name != "shops"', False),
        ('group.name = "failing" AND user = "ann"', True),
        ('group.arn = "arn:aws:xray:r:1:group/none"', False),
        ('NOT group.name = "shops" OR fault', True),
    ],
)
def test_an_expression_may_ask_for_groups(expression, holds):
    """By their names or ARNs."""
    groups = {
        "shops": read_expression('service("shop")'),
        "failing": read_expression("fault"),
        "arn:aws:xray:r:1:group/none": read_expression('service("none")'),
    }
    assert read_expression(expression, groups)(TRACE) is holds


@pytest.mark.parametrize(
    "expression",
    [
        'group.name = "unknown"',
        'group.name CONTAINS "shops"',
        'group.arn = "shops"',
        'service("shop") { group.name = "shops" }',
        "group.name",
    ],
)
def test_what_cannot_be_asked_of_groups_is_refused(expression):
    """A group is one of traces, and not of calls."""
    with pytest.raises(BadExpressionError):
        read_expression(expression, {"shops": read_expression("")})


def test_calls_are_counted_over_time():
    """Those that are chosen, or what each trace began with."""
    later = Trace.of(ROOT, assembled([text(9, start=1_700_000_130.0, fault=True)]))
    series = {
        name: Series(selector, 60)
        for name, selector in {
            "all": None,
            "till": read_selector('service("till")'),
            "edge": read_selector('edge("shop", "till")'),
        }.items()
    }
    for each in series.values():
        each.add([TRACE, later])
    points = {name: each.shown() for name, each in series.items()}
    totals = [each["ServiceSummaryStatistics"]["TotalCount"] for each in points["all"]]
    faults = [
        each["ServiceSummaryStatistics"]["FaultStatistics"]["TotalCount"] for each in points["all"]
    ]
    assert (totals, faults) == ([1, 1], [0, 1])
    (till,) = points["till"]
    assert till["ServiceSummaryStatistics"]["FaultStatistics"]["TotalCount"] == 1
    (edge,) = points["edge"]
    assert edge["EdgeSummaryStatistics"]["TotalCount"] == 1
    assert sum(each["Count"] for each in edge["ResponseTimeHistogram"]) == 1


@pytest.mark.parametrize(
    "selector", ["", "fault", 'service("a"', 'edge("a")', 'service("a") { ok }']
)
def test_what_is_no_selector_is_refused(selector):
    """It says which calls are meant, and no more."""
    with pytest.raises(BadExpressionError):
        read_selector(selector)
