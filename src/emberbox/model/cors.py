"""What a function URL's Cors lets pages of other origins do: preflights and headers of answers.

Source: API reference of Lambda (Cors), the guide's "Cross-origin resource sharing (CORS)", and the
Fetch standard for what a browser asks. A browser enforces it; a request is never refused for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

Headers = list[tuple[str, str]]

PREFIX: Final = "access-control-"
"""What the names of the headers in question begin with."""

_ANY: Final = "*"


def preflight(cors: Mapping[str, Any], origin: str) -> Headers:
    """The headers that answer a browser which asks before its request; none for a stranger."""
    shared = _shared(cors, origin)
    if not shared:
        return []
    if cors.get("AllowMethods"):
        shared.append(("access-control-allow-methods", ",".join(cors["AllowMethods"])))
    if cors.get("AllowHeaders"):
        shared.append(("access-control-allow-headers", ",".join(cors["AllowHeaders"])))
    if cors.get("MaxAge"):
        shared.append(("access-control-max-age", str(cors["MaxAge"])))
    return shared


def answered(
    cors: Mapping[str, Any], origin: str | None, headers: Sequence[tuple[str, str]]
) -> Headers:
    """The headers of an answer: the URL's own words on the matter in place of the function's."""
    kept = [(name, value) for name, value in headers if not name.lower().startswith(PREFIX)]
    shared = _shared(cors, origin) if origin else []
    if shared and cors.get("ExposeHeaders"):
        shared.append(("access-control-expose-headers", ",".join(cors["ExposeHeaders"])))
    return kept + shared


def _shared(cors: Mapping[str, Any], origin: str) -> Headers:
    allowed = cors.get("AllowOrigins") or ()
    if _ANY in allowed:
        found: Headers = [("access-control-allow-origin", _ANY)]
    elif any(each.rstrip("/").lower() == origin.lower() for each in allowed):
        found = [("access-control-allow-origin", origin), ("vary", "Origin")]
    else:
        return []
    if cors.get("AllowCredentials"):
        found.append(("access-control-allow-credentials", "true"))
    return found
