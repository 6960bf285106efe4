"""What a URL's Cors tells browsers."""

import pytest

from emberbox.model.cors import answered, preflight

CORS = {
    "AllowOrigins": ["https://a.example/", "https://b.example"],
    "AllowMethods": ["GET", "PUT"],
    "AllowHeaders": ["x-a"],
    "ExposeHeaders": ["x-b"],
    "AllowCredentials": True,
    "MaxAge": 60,
}


def test_a_preflight_of_an_origin_that_is_allowed_hears_what_it_may():
    """The origin as the browser wrote it."""
    assert dict(preflight(CORS, "https://a.example")) == {
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET,PUT",
        "access-control-allow-headers": "x-a",
        "access-control-max-age": "60",
        "vary": "Origin",
    }


@pytest.mark.parametrize("origin", ["https://c.example", "null", "https://a.example.evil"])
def test_a_stranger_hears_nothing(origin):
    """Which its browser takes for a no."""
    assert preflight(CORS, origin) == []
    assert answered(CORS, origin, [("a", "b")]) == [("a", "b")]


def test_the_urls_word_replaces_the_functions():
    """Two answers to one question would be none."""
    own = [("Access-Control-Allow-Origin", "*"), ("a", "b")]

    assert answered(CORS, "https://b.example", own) == [
        ("a", "b"),
        ("access-control-allow-origin", "https://b.example"),
        ("vary", "Origin"),
        ("access-control-allow-credentials", "true"),
        ("access-control-expose-headers", "x-b"),
    ]


def test_any_origin_may_be_allowed():
    """With a star, which is the same for everybody."""
    assert answered({"AllowOrigins": ["*"]}, "null", []) == [("access-control-allow-origin", "*")]
    assert answered({"AllowOrigins": ["*"]}, None, [("a", "b")]) == [("a", "b")]
