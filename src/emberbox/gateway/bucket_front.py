"""Pages of other sites and buckets: a bucket's CORS configuration says who may do what.

Buckets without one are kept from pages of other sites, as everything else on this server is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import unquote

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.gateway.hosts import bucket_of_signed_s3
from emberbox.gateway.wire import HttpRequest, HttpResponse
from emberbox.model.s3_cors import answered, asked_headers, matching, preflight
from emberbox.records import dataclass

RulesOf = Callable[[str], Sequence[Mapping[str, Any]] | None]
"""The CORS rules of a bucket by its name, empty for none; None if there is no such bucket."""

_ASKING: Final = "OPTIONS"


@dataclass(frozen=True, slots=True)
class Shared:
    """What a page may have: the headers of the answer, and the answer itself to a preflight."""

    headers: Sequence[tuple[str, str]]
    answer: HttpResponse | None = None


class BucketFront:
    """See the module. `clock` tells when policies of forms expire."""

    def __init__(self, rules_of: RulesOf, clock: Clock) -> None:
        self._rules_of = rules_of
        self.clock = clock

    def look(self, request: HttpRequest, origin: str) -> Shared | None:
        """None if the request is for no bucket, or a page has no right to it.

        CallerError for a preflight of a page that has none.
        """
        rules = self._rules_of(bucket_in(request))
        if rules is None:
            return None
        if request.method != _ASKING:
            rule = matching(rules, origin, request.method, ())
            return None if rule is None else Shared(answered(rule, origin))
        method = request.headers.get("access-control-request-method", "")
        if not method:
            raise CallerError(
                "BadRequest",
                "Insufficient information. Origin request header needed.",
                status=400,
            )
        if not rules:
            raise _forbidden("CORSResponse: CORS is not enabled for this bucket.", method)
        headers = asked_headers(request.headers.get("access-control-request-headers", ""))
        rule = matching(rules, origin, method, headers)
        if rule is None:
            raise _forbidden(
                "CORSResponse: This CORS request is not allowed. This is usually because the "
                "evalution of Origin, request method / Access-Control-Request-Method or "
                "Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
                method,
            )
        found = preflight(rule, origin, headers)
        return Shared(found, HttpResponse(200, found))


def bucket_in(request: HttpRequest) -> str:
    """The bucket that a request would be for, if it is for S3."""
    in_host = bucket_of_signed_s3(request.headers.get("host", ""))
    return in_host or unquote(request.path.lstrip("/").partition("/")[0])


def _forbidden(text: str, method: str) -> CallerError:
    fields = {"Method": method, "ResourceType": "OBJECT"}
    return CallerError("AccessForbidden", text, status=403, fields=fields)
