"""Function URLs: their ids, how they are shown here, and what their Cors may say.

Source: API reference of Lambda (FunctionUrlConfig) and the guide's pages on function URLs.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from emberbox.model.configuration import invalid, validation_error
from emberbox.records import dataclass

PATH: Final = "/_emberbox/url/"
"""What the path of a function URL begins with. Its host, `<id>.lambda-url.<region>.<any>`, does as
well, where somebody has made it resolve to us."""

ID_LENGTH: Final = 32
ID_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_ID: Final = re.compile(rf"[{ID_ALPHABET}]{{{ID_LENGTH}}}\Z")
_METHODS: Final = frozenset({"GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "*"})
_ORIGIN: Final = re.compile(r"\*|https?://[^\s/,]+/?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FunctionUrl:
    """A function URL as the data plane needs it. `qualifier` is `$LATEST` or an alias.

    `cors` has the members of the API's Cors; None means that the function answers for itself.
    """

    url_id: str
    account: str
    region: str
    function: str
    qualifier: str
    auth_type: str
    invoke_mode: str
    cors: Mapping[str, Any] | None


def is_url_id(text: str) -> bool:
    """Whether the text has the form of a URL's id."""
    return _ID.match(text) is not None


def url_of(url_id: str, endpoint: str) -> str:
    """The URL for a client that addressed us by `endpoint`, with a slash at its end.

    It is told apart by its path, since a name below the endpoint's need not resolve.
    """
    return f"{endpoint}{PATH}{url_id}/"


def new_url_id(random: bytes) -> str:
    """An id from as many random bytes as it is long."""
    return "".join(ID_ALPHABET[byte % len(ID_ALPHABET)] for byte in random[:ID_LENGTH])


def check_cors(cors: Mapping[str, Any]) -> None:
    """CallerError unless a URL may have this Cors."""
    methods = cors.get("AllowMethods") or []
    strangers = [method for method in methods if method not in _METHODS]
    if strangers:
        raise validation_error(
            [
                f"Value '[{', '.join(methods)}]' at 'cors.allowMethods' failed to satisfy "
                "constraint: Member must satisfy constraint: [Member must satisfy enum value set: "
                "[GET, PUT, HEAD, POST, PATCH, DELETE, *]]"
            ]
        )
    origins = cors.get("AllowOrigins") or []
    for origin in origins:
        if not _ORIGIN.match(origin):
            raise invalid(f"Invalid origin: {origin}. Give a scheme and a host, or *.")
    if cors.get("AllowCredentials") and "*" in origins:
        raise invalid("AllowOrigins cannot be * when AllowCredentials is true.")
