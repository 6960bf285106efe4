"""What a bucket's CORS configuration lets pages of other origins do.

Source: S3 user guide, "Using cross-origin resource sharing (CORS)".
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

Rule = Mapping[str, Any]


def matching(
    rules: Sequence[Rule], origin: str, method: str, headers: Sequence[str]
) -> Rule | None:
    """The first rule that lets an origin use a method with these headers."""
    for rule in rules:
        allowed = rule.get("AllowedHeaders") or ()
        if (
            method in rule["AllowedMethods"]
            and any(_fits(each, origin) for each in rule["AllowedOrigins"])
            and all(any(_fits(each.lower(), name) for each in allowed) for name in headers)
        ):
            return rule
    return None


def answered(rule: Rule, origin: str) -> list[tuple[str, str]]:
    """The headers of an answer that a page may read."""
    is_any = "*" in rule["AllowedOrigins"]
    found = [("access-control-allow-origin", "*" if is_any else origin)]
    found.append(("access-control-allow-methods", ", ".join(rule["AllowedMethods"])))
    if rule.get("ExposeHeaders"):
        found.append(("access-control-expose-headers", ", ".join(rule["ExposeHeaders"])))
    if rule.get("MaxAgeSeconds") is not None:
        found.append(("access-control-max-age", str(rule["MaxAgeSeconds"])))
    if not is_any:
        found.append(("access-control-allow-credentials", "true"))
    vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
    return [*found, ("vary", vary)]


def preflight(rule: Rule, origin: str, headers: Sequence[str]) -> list[tuple[str, str]]:
    """The headers that answer a browser which asks before its request."""
    found = answered(rule, origin)
    if headers:
        found.append(("access-control-allow-headers", ", ".join(headers)))
    return found


def asked_headers(text: str) -> list[str]:
    """The names in Access-Control-Request-Headers, in lower case."""
    return [each.strip().lower() for each in text.split(",") if each.strip()]


def _fits(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


@lru_cache(512)
def _compiled(pattern: str) -> re.Pattern[str]:
    head, star, tail = pattern.partition("*")
    return re.compile(re.escape(head) + (".*" if star else "") + re.escape(tail), re.DOTALL)
