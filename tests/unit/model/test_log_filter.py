"""Filter patterns: the examples of the user guide, the rules around them, and hostile input."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.log_filter import FilterError, compile_filter
from emberbox.model.log_filter_values import number_of, wildcard

REQUESTS = [
    "[ERROR 400] BAD REQUEST",
    "[ERROR 401] UNAUTHORIZED REQUEST",
    "[ERROR 419] MISSING ARGUMENTS",
    "[ERROR 420] INVALID ARGUMENTS",
    "[INFO] STARTED",
]


def chosen(pattern, messages):
    """The places of the messages that a pattern matches."""
    matches = compile_filter(pattern)
    return [place for place, message in enumerate(messages) if matches(message)]


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        ("ERROR", [0, 1, 2, 3]),
        ("error", []),
        ("ERROR ARGUMENTS", [2, 3]),
        ("ARGUMENTS ERROR", [2, 3]),
        ("?REQUEST ?ARGUMENTS", [0, 1, 2, 3]),
        ('?"BAD REQUEST" ?STARTED', [0, 4]),
        ("?INFO ?MISSING REQUEST", [0, 1]),
        ('"BAD REQUEST"', [0]),
        ('"REQUEST BAD"', []),
        ("ERROR -ARGUMENTS", [0, 1]),
        ("-ERROR", [4]),
        ('-"ERROR 4" -INFO', []),
        ("%AUTHORIZED%", [1]),
        ("ERROR %4[01]. %", []),
        ("%4[01]\\d\\]% REQUEST", [0, 1]),
        ("-%4[0-9]+%", [4]),
        ("", [0, 1, 2, 3, 4]),
        ("   ", [0, 1, 2, 3, 4]),
        ('""', [0, 1, 2, 3, 4]),
        ('" "', [0, 1, 2, 3, 4]),
    ],
)
def test_terms(pattern, places):
    """Terms are all needed; optional ones count only alone; excluded ones exclude."""
    assert chosen(pattern, REQUESTS) == places


def test_quotation_marks_in_phrases():
    """A backslash takes their meaning away."""
    assert chosen(r'"say \"hi\""', ['say "hi"', "say hi"]) == [0]


EVENT = {
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "cluster.name": "c",
    "errorCode": 404,
    "ratio": 0.25,
    "big": 1000,
    "text400": "400",
    "yes": True,
    "no": False,
    "user-id": "u_1",
    "coordinates": [[0, 1, 2], [4, 5, 6]],
    "user": {"id": 1, "email": "John.Stiles@example.com"},
}


@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.eventType = "UpdateTrail" }',
        "{$.eventType=UpdateTrail}",
        '{ $.eventType = "Update*" }',
        '{ $.eventType = "*date*ail" }',
        "{ $.eventType = * }",
        '{ $.eventType != "Other" }',
        "{ $.eventType = %Trail% }",
        "{ $.sourceIPAddress != 123.123.* }",
        '{ $.arrayKey[0] = "value" }',
        "{ $.arrayKey[*] = %val.{2}% }",
        r"{ $.* = %111\.111\.111\.1[0-9]{1,2}% }",
        '{ $.objectList[*].name = "b" }',
        "{ $.objectList[1].id = 2 }",
        "{ $.['cluster.name'] = \"c\" }",
        '{ $["cluster.name"] = "c" }',
        "{ $.SomeObject IS NULL }",
        "{ $.yes IS TRUE }",
        "{ $.no IS  FALSE }",
        "{ $.SomeOtherObject NOT EXISTS }",
        "{ $.objectList[7] NOT EXISTS }",
        "{ $.errorCode = 404 }",
        "{ $.errorCode = 4.04e2 }",
        "{ $.errorCode = 4* }",
        "{ $.errorCode != 500 }",
        "{ $.errorCode > 403 && $.errorCode < 405 }",
        "{ $.errorCode >= 404 && $.errorCode <= 404 }",
        "{ $.big = 1e+3 }",
        "{ $.big != 1e-3 }",
        "{ $.ratio > .2 }",
        "{ $.ratio > -1 }",
        "{ $.text400 = 400 }",
        "{ $.text400 >= 400 }",
        "{ $.user-id = u_1 }",
        "{ $.coordinates[1][2] = 6 }",
        "{ ($.user.id = 1) && ($.arrayKey[1] = \"another value\") }",
        '{ $.user.email = "John.Stiles@example.com" || $.a = "x" && $.b = "y" }',
        "{ (($.user.id = 2) || ($.user.id = 1)) }",
    ],
)  # fmt: skip
def test_json_conditions_that_hold(pattern):
    """Each of these matches the event."""
    assert chosen(pattern, [json.dumps(EVENT), json.dumps(EVENT) + "\n"]) == [0, 1]


@pytest.mark.parametrize(
    "pattern",
    [
        '{ $.eventType = "updatetrail" }',
        '{ $.eventType = "Trail" }',
        '{ $.eventType != "Update*" }',
        '{ $.user = "x" }',
        '{ $.user != "x" }',
        '{ $.SomeObject != "x" }',
        '{ $.missing != "x" }',
        "{ $.missing IS NULL }",
        "{ $.SomeObject NOT EXISTS }",
        "{ $.yes IS FALSE }",
        "{ $.errorCode IS TRUE }",
        "{ $.yes = 1 }",
        "{ $.yes = true }",
        '{ $.errorCode = "404" }',
        "{ $.eventType > 1 }",
        "{ $.errorCode > 404 }",
        "{ $.arrayKey.value = 1 }",
        "{ $.user[0] = 1 }",
        '{ ($.user.id = 1 || $.a = "x") && $.b = "y" }',
    ],
)
def test_json_conditions_that_do_not_hold(pattern):
    """None of these matches the event."""
    assert chosen(pattern, [json.dumps(EVENT)]) == []


@pytest.mark.parametrize("message", ["", "text", "{", '"x"', "1", "[", '{"a": }', "{" * 5_000])
def test_messages_that_are_not_json(message):
    """They match no JSON pattern, not even a negative one."""
    assert chosen("{ $.a NOT EXISTS }", [message]) == []


LINE = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
LINES = [
    "INFO 09/25/2014 12:00:00 GET /service/resource/67 1200",
    "INFO 09/25/2014 12:00:01 POST /service/resource/67/part/111 1310",
    "WARNING 09/25/2014 12:00:02 Invalid user request",
    "ERROR 09/25/2014 12:00:02 Failed to process request",
]


@pytest.mark.parametrize(
    ("pattern", "does"),
    [
        (r"[ip=%127\.0\.0\.[1-9]%, user, username, timestamp, request =*.html*, "
         "status_code = 4*, bytes]", True),
        ("[..., request =*.html*, status_code = 4*, bytes]", True),
        ("[ip, user, username, timestamp, request =*.html*, status_code = 404 || "
         "status_code = 410, bytes]", True),
        ("[ip, ..., bytes > 1000]", True),
        ("[ip, ..., bytes > 2000]", False),
        ("[ip, ...]", True),
        ("[...]", True),
        ('[ip, user="Prod", ...]', True),
        ("[ip, user!=Prod, ...]", False),
        ("[a, b, c, d, e, f, g, h]", False),
        ("[..., a, b, c, d, e, f, g, h]", False),
        ('[ip, user, username, timestamp, request = "GET /index.html HTTP/1.0", ...]', True),
        ("[ip, user, username, timestamp = 10/Oct*, ...]", True),
        ("[ip, user, username, timestamp, request, code >= 400 && code < 500, bytes]", True),
        ("[ip, rest = *1534]", True),
        ("[ip, rest = Prod]", False),
    ],
)  # fmt: skip
def test_fields(pattern, does):
    """Brackets and quotation marks hold fields together; the last field takes the rest."""
    assert compile_filter(pattern)(LINE) == does


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        ("[w1=ERROR, w2]", [3]),
        ("[w1=ERROR || w1=WARNING, w2]", [2, 3]),
        ("[w1!=ERROR && w1!=WARNING, w2]", [0, 1]),
        ("[level, date, time, method, url=%/service/resource/[0-9]+$%, response_time]", [0]),
        ("[level, date, time, method, url=%/resource/[0-9]+/part/[0-9]+$%, ms]", [1]),
        ("[level, date, time, method, url, ms > 1250]", [1]),
    ],
)
def test_fields_in_order(pattern, places):
    """The examples with levels and resources."""
    assert chosen(pattern, LINES) == places


@pytest.mark.parametrize("message", ["", "   ", "one"])
def test_lines_with_too_few_fields(message):
    """They do not match."""
    assert not compile_filter("[a, b]")(message)


def test_unclosed_brackets_are_part_of_words():
    """They hold nothing together, and cost nothing."""
    assert compile_filter('[a="[x", b=y]')("[x y")
    assert compile_filter('[..., last="["]')("[ " * 50_000)


@pytest.mark.parametrize(
    "pattern",
    [
        "foo-bar", "a.b", "(x)", "a}", '"open', "?", "-", "-?x", "%open", "%a!%", "%%", "?-x",
        "{", "{}", "{ $ }", "{ $.a }", "{ $.a = }", "{ $.a = 1", "{ $.a = 1 } x", "{ a = 1 }",
        "{ $.a == 1 }", "{ $.a < x }", '{ $.a < "1" }', "{ $.a = 1 && }", "{ ($.a = 1 }",
        "{ $.a IS 1 }", "{ $.a EXISTS }", "{ $.a IS NOT NULL }", "{ $.a[x] = 1 }",
        "{ $.*.* = 1 }", "{ $.a[*][*] = 1 }",
        "{ $.* = 1 && $.a[*] = 1 && $.b.* = 1 && $.c.* = 1 }",
        "{ $.a = %a% && $.b = %b% && $.c = %c% }",
        "{" + "(" * 500 + "$.a = 1" + ")" * 500 + "}",
        "[", "[]", "[a", "[a,]", "[,a]", "[a b]", "[a = ]", "[a = 1 || b = 2]", "[..., ...]",
        "[a] x", "[a < b]", "[a = %(%]", "x" * 1_025,
    ],
)  # fmt: skip
def test_what_is_no_pattern(pattern):
    """Is refused with a message."""
    with pytest.raises(FilterError, match="Invalid"):
        compile_filter(pattern)


@given(
    st.text(alphabet='{}[]()$.*=<>!&|%",?- \\ab1_ISNULLTRUEXOT', max_size=30)
    | st.text(max_size=20)
    | st.text(alphabet="$.a*[0]=1 &|()", max_size=30).map(lambda inner: "{ " + inner + " }")
    | st.text(alphabet="ab=1*., |&%>", max_size=30).map(lambda inner: "[" + inner + "]"),
    st.text(max_size=20) | st.sampled_from([LINE, json.dumps(EVENT), "[1, 2]"]),
)
def test_any_text_is_a_pattern_or_refused(pattern, message):
    """And a pattern gives an answer for any message."""
    try:
        matches = compile_filter(pattern)
    except FilterError:
        return

    assert matches(message) in (True, False)


@given(st.text(alphabet="ab", max_size=6), st.lists(st.text(alphabet="ab", max_size=2), max_size=4))
def test_wildcards(filling, pieces):
    """A text made from the pieces and fillings matches; the pieces alone match exactly."""
    assert wildcard("*".join(pieces))(filling.join(pieces))
    if len(pieces) > 1 and "".join(pieces):
        assert not wildcard("*".join(pieces))("c" + "".join(pieces) + "c") or pieces[0] == ""


@given(st.integers(-(10**12), 10**12) | st.floats(-1e12, 1e12))
def test_numbers_are_read(number):
    """As Python writes them."""
    assert number_of(str(number)) == number


@pytest.mark.parametrize("text", ["", "-", "1e", "0x1", "1_0", "nan", "inf", "1" * 40, "e5"])
def test_other_texts_are_not_numbers(text):
    """Not even those that Python would take."""
    assert number_of(text) is None
