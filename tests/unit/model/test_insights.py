"""The query language of Logs Insights: the user guide's examples, rules, and hostile text."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.insights import stages
from emberbox.model.insights.query import parse_query
from emberbox.model.insights.records import FIELDS_MAX, discovered, record
from emberbox.model.insights.values import QueryError, TooLargeError

NOW = 1_700_000_000_000
WORDS = [
    *("fields", "filter", "stats", "parse", "sort", "limit", "dedup", "display", "|", ",", "("),
    *(")", "[", "]", "=", "!=", "like", "not", "in", "and", "or", "count(*)", "sum(", "by"),
    *("bin(5m)", "'x'", '"y"', "/a/", "a.b", "@message", "`q`", "1", "2.5", "+", "-", "*", "^"),
    *("as", "desc", "#"),
]
REQUEST = "8286a188-ba32-4475-8077-530cd35c09a9"
REPORT = (
    f"REPORT RequestId: {REQUEST}\tDuration: 2.5 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\t"
    "Max Memory Used: 40 MB\tInit Duration: 99.25 ms"
)
EVENTS = [
    {"level": "info", "ms": 10, "path": "/a", "user": {"id": 1}, "ok": True, "ip": "10.0.0.1"},
    {"level": "error", "ms": 30, "path": "/b", "user": {"id": 2}, "ok": False, "ip": "10.0.1.1"},
    {"level": "info", "ms": 20, "path": "/a", "tags": ["x", "y"], "text": "  Padded "},
    {"level": "warn", "ms": "n/a", "path": "/c", "with-dash": "d"},
]


def ask(text, messages=None, limit=10_000):
    """The results of a query on messages, the first being the newest, as dictionaries."""
    given_messages = [json.dumps(each) for each in EVENTS] if messages is None else messages
    query = parse_query(text, limit, NOW)
    for place, message in enumerate(given_messages):
        when = NOW - place * 60_000
        row = discovered(message) | record(message, when, NOW, "s", "1:g", f"p{place}")
        query.pipeline.feed(row)
    query.pipeline.finish()
    return [dict(query.result(row)) for row in query.pipeline.rows]


def column(text, name, messages=None):
    """One column of the results; None where it is not there."""
    return [row.get(name) for row in ask(text, messages)]


def test_without_commands_time_and_message_are_shown():
    """With the pointer to the event."""
    assert ask("", ["hello"]) == [
        {"@timestamp": "2023-11-14 22:13:20.000", "@message": "hello", "@ptr": "p0"}
    ]


@pytest.mark.parametrize(
    ("condition", "places"),
    [
        ('level = "info"', [0, 2]),
        ("level = 'info'", [0, 2]),
        ('level != "info"', [1, 3]),
        ("level like /^(info|warn)$/", [0, 2, 3]),
        ("level like /(?i)INFO/", [0, 2]),
        ("level =~ /err/", [1]),
        ('level like "n"', [0, 2, 3]),
        ("level not like /n/", [1]),
        ('level in ["warn", "error"]', [1, 3]),
        ('level not in ["warn", "error"]', [0, 2]),
        ("ms > 10", [1, 2]),
        ("ms != 10", [1, 2, 3]),
        ("ms >= 20 and ms <= 30", [1, 2]),
        ("ms < 20 or path = '/c'", [0, 3]),
        ("not (ms < 20 or path = '/c')", [1, 2]),
        ("user.id = 2", [1]),
        ("ispresent(user.id)", [0, 1]),
        ("not ispresent(user.id)", [2, 3]),
        ("tags.1 = 'y'", [2]),
        ("ok = 1", [0]),
        ("ok = 0", [1]),
        ("missing = 1", []),
        ("missing != 1", []),
        ("missing not like /x/", []),
        ("`with-dash` = 'd'", [3]),
        ("isIpv4InSubnet(ip, '10.0.1.0/24')", [1]),
        ("isIpInSubnet(ip, '10.0.0.0/8')", [0, 1]),
        ("isValidIp(ip)", [0, 1]),
        ("strcontains(path, 'a')", [0, 2]),
        ("isempty(text)", [0, 1, 3]),
        ("@message like 'Padded'", [2]),
        ("ms * 2 + 1 = 21", [0]),
        ("ms % 20 = 10", [0, 1]),
        ("-ms < -25", [1]),
        ("ms / 0 = 1", []),
        ("2 ^ 3 = 8", [0, 1, 2, 3]),
        ("level = 'info' # a comment\n and ms = 20", [2]),
    ],
)
def test_conditions(condition, places):
    """Each lets through the events that it is true for."""
    found = column(f"filter {condition}", "@ptr")

    assert found == [f"p{place}" for place in places]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("abs(0 - ms)", "10"), ("ceil(ms / 4)", "3"), ("floor(ms / 4)", "2"), ("ms / 4", "2.5"),
        ("sqrt(16)", "4"), ("log(1)", "0"), ("greatest(ms, 12)", "12"), ("least(ms, 12)", "10"),
        ("concat(level, '-', ms)", "info-10"), ("toupper(level)", "INFO"),
        ("tolower('AbC')", "abc"), ("strlen(path)", "2"), ("trim('  a ')", "a"),
        ("ltrim('xxa', 'x')", "a"), ("rtrim('a  ')", "a"), ("substr(level, 1)", "nfo"),
        ("substr(level, 1, 2)", "nf"), ("replace(level, 'in', 'on')", "onfo"),
        ("coalesce(missing, level)", "info"), ("isblank('  ')", "1"), ("now()", "1700000000"),
        ("bin(5m)", "2023-11-14 22:10:00.000"), ("bin(1h)", "2023-11-14 22:00:00.000"),
        ("datefloor(@timestamp, 1d)", "2023-11-14 00:00:00.000"),
        ("dateceil(@timestamp, 1d)", "2023-11-15 00:00:00.000"),
        ("toMillis(@timestamp)", str(NOW)), ("fromMillis(0)", "1970-01-01 00:00:00.000"),
        ("sqrt(0 - 1)", None), ("missing + 1", None), ("level + 1", None), ("10 ^ 999", None),
        ("strcontains(level, 'nf')", "1"), ("isValidIpv6('::1')", "1"), ("isValidIpv4('::1')", "0"),
    ],
)  # fmt: skip
def test_expressions(expression, value):
    """Computed and named; what cannot be computed is not there."""
    assert column(f"fields {expression} as x | limit 1", "x") == [value]


@pytest.mark.parametrize(
    ("stats", "rows"),
    [
        ("count(*)", [{"count(*)": "4"}]),
        ("count(user.id) as n", [{"n": "2"}]),
        ("count_distinct(path) as n", [{"n": "3"}]),
        ("sum(ms) as s, avg(ms) as a, min(ms) as lo, max(ms) as hi",
         [{"s": "60", "a": "20", "lo": "10", "hi": "30"}]),
        ("pct(ms, 50) as m, pct(ms, 100) as all", [{"m": "20", "all": "30"}]),
        ("stddev(ms) as d", [{"d": "8.16496580927726"}]),
        ("earliest(level) as e, latest(level) as l", [{"e": "warn", "l": "info"}]),
        ("sortsFirst(level) as f, sortsLast(level) as l", [{"f": "error", "l": "warn"}]),
        ("avg(missing) as a, sum(missing) as s", [{"s": "0"}]),
        ("count(*) as n by path | sort n desc, path",
         [{"path": "/a", "n": "2"}, {"path": "/b", "n": "1"}, {"path": "/c", "n": "1"}]),
        ("count(*) by bin(2m) | sort bin(2m)",
         [{"bin(2m)": "2023-11-14 22:10:00.000", "count(*)": "2"},
          {"bin(2m)": "2023-11-14 22:12:00.000", "count(*)": "2"}]),
        ("sum(ms) as s by path, level | filter s > 10 | sort s | limit 1",
         [{"path": "/a", "level": "info", "s": "30"}]),
        ("count(*) as n by path | stats max(n) as most", [{"most": "2"}]),
        ("count(*) by path | sort count(*) desc | display path | limit 1", [{"path": "/a"}]),
    ],
)  # fmt: skip
def test_stats(stats, rows):
    """Sums over all events or by groups, and what may follow; no pointers."""
    assert ask(f"stats {stats}") == rows


def test_stats_of_nothing():
    """One row without groups, none with."""
    assert ask("filter ms > 1000 | stats count(*) as n") == [{"n": "0"}]
    assert ask("filter ms > 1000 | stats count(*) as n by path") == []


def test_globs_and_regular_expressions_parse():
    """The examples of the user guide."""
    line = "25 May 2019 10:24:39,474 [ERROR] {foo=2, bar=user, method:create, latency := 10}"
    text = 'parse @message "foo=*, bar=*, method:*, latency := *}" as foo, bar, method, latency'
    shown = " | fields foo, bar, method, latency"
    by_regex = (
        r"parse /\[(?<level>\S+)\]\s+\{foo=(?<foo>\d+).*latency := (?<latency>\d+)/"
        " | fields level, foo, latency"
    )
    assert ask(text + shown, [line, "other"]) == [
        {"foo": "2", "bar": "user", "method": "create", "latency": "10", "@ptr": "p0"},
        {"@ptr": "p1"},
    ]
    assert ask(by_regex, [line]) == [{"level": "ERROR", "foo": "2", "latency": "10", "@ptr": "p0"}]
    assert column('parse "a=* b" as x | filter x > 4', "@ptr", ["a=5 b", "a=3 b"]) == ["p0"]
    assert column("parse '*:*' as x, y | fields y", "y", ["k:v:w"]) == ["v:w"]


def test_order_limit_and_duplicates():
    """Sorted as numbers, limited, one of each."""
    assert column("sort ms", "@ptr") == ["p0", "p2", "p1", "p3"]
    assert column("sort ms desc | limit 2", "@ptr") == ["p3", "p1"]
    assert column("sort path desc, ms asc", "@ptr") == ["p3", "p1", "p0", "p2"]
    assert column("dedup path", "@ptr") == ["p0", "p1", "p3"]
    assert column("sort ms desc | dedup level", "@ptr") == ["p3", "p1", "p2"]
    assert column("limit 1 | filter level = 'error'", "@ptr") == []
    assert len(ask("fields @message", limit=2)) == 2


def test_display_wins_over_fields():
    """Fields add up; the last display alone counts."""
    assert ask("fields ms | fields path | limit 1") == [{"ms": "10", "path": "/a", "@ptr": "p0"}]
    assert ask("fields ms | display path | display level | limit 1") == [
        {"level": "info", "@ptr": "p0"}
    ]


def test_lambdas_own_lines_are_discovered():
    """As the user guide's queries on functions take them."""
    text = (
        'filter @type = "REPORT" | stats max(@memorySize / 1000 / 1000) as provisioned, '
        "max(@maxMemoryUsed / 1000 / 1000) as used, avg(@duration) as d, sum(@billedDuration) as b,"
        " max(@initDuration) as i"
    )
    start = f"START RequestId: {REQUEST} Version: $LATEST"
    assert ask(text, [REPORT, start]) == [
        {"provisioned": "128", "used": "40", "d": "2.5", "b": "3", "i": "99.25"}
    ]
    assert column("fields @requestId", "@requestId", [start]) == [REQUEST]


def test_fields_are_discovered_within_bounds():
    """Of the first JSON in a message; not without end, not too deep."""
    assert discovered('prefix {"a": {"b": [1, null]}} suffix') == {"a.b.0": 1}
    assert len(discovered(json.dumps({f"k{n}": n for n in range(2 * FIELDS_MAX)}))) == FIELDS_MAX
    for hostile in ("{" * 10_000, '{"a":' * 5_000 + "1" + "}" * 5_000, '{"a"', "{}{"):
        assert discovered(hostile) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "no command"), ("filter", "expected"), ("filter level =", "expected"),
        ("filter (level", "expected"), ("fields f(x)", "no function"), ("stats sum()", "expected"),
        ("stats median(x)", "no function"), ("stats count(*) | stats count(*) | stats count(*)",
         "more than 2"), ("limit 0", "whole number"), ("limit 10001", "whole number"),
        ("parse 'a*b*' as x", "as many names"), ("parse /x/", "named groups"),
        ("filter a like /(/", "regular expression"), ("filter a like x", "expected a text"),
        ("fields bin(5)", "length of time"), ("fields bin(0m)", "length of time"),
        ("fields a |", None), ("fields a b", "unexpected"), ("sort", "expected"),
        ("fields " + "(" * 100 + "1" + ")" * 100, "too many"), ("filter " + "not " * 100 + "1",
         "too many"), ("x" * 10_001, "longer"), ("fields " + ",".join(["a"] * 200), "more than"),
        ("fields substr(a)", "does not take"), ("filter a not 1", "expected like or in"),
        ("filter a in [" + ",".join(["1"] * 200) + "]", "more than"),
        (r"filter a like /(a)\1/", "regular expression"),
    ],
)  # fmt: skip
def test_what_is_no_query(text, words):
    """Is refused with the reason."""
    if words is None:
        assert parse_query(text, 1, NOW)
        return
    with pytest.raises(QueryError, match=re.escape(words)):
        parse_query(text, 1, NOW)


@pytest.mark.parametrize(
    "text", ["sort ms", "stats count(*) by @ptr", "dedup @ptr", "stats pct(ms, 50)", "fields @ptr"]
)
def test_no_query_holds_more_than_its_budget(monkeypatch, text):
    """It ends with an error."""
    assert stages.Budget().left > 2_000  # also so that its __init__ is the one that is called
    monkeypatch.setattr(stages.Budget.__init__, "__defaults__", (2_000,))
    with pytest.raises(TooLargeError):
        ask(text, ['{"ms": 1}'] * 2_000)


def test_evil_regular_expressions_take_linear_time():
    """What would keep a backtracking matcher busy for ever is answered."""
    assert column(r"filter @message like /(a+)+$/", "@ptr", ["a" * 50_000 + "!"]) == []


@given(
    st.text(max_size=40)
    | st.lists(
        st.sampled_from(WORDS),
        max_size=12,
    ).map(" ".join)
)
def test_any_text_is_a_query_or_refused(text):
    """And a query gives results."""
    try:
        found = ask(text)
    except QueryError:
        return
    assert all(isinstance(value, str) for row in found for value in row.values())


def test_texts_that_are_put_together_have_an_end():
    """Doubled as often as a query may say it, a text is cut at a megabyte; so is a replaced one."""
    doubled = " | ".join(f"fields concat(a{n}, a{n}) as a{n + 1}" for n in range(40))
    [row] = ask(f'fields "xy" as a0 | {doubled} | fields strlen(a40) as size', [""])
    assert row["size"] == "1048576"
    swollen = " | ".join(f'fields replace(a{n}, "x", "{"x" * 200}") as a{n + 1}' for n in range(4))
    [row] = ask(f'fields "xx" as a0 | {swollen} | fields strlen(a4) as size', [""])
    assert row["size"] == "1048576"
