"""Static websites in buckets: index and error documents, redirections.

Source: S3 user guide, "Hosting a static website using Amazon S3".
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from html import escape
from typing import Any, Final
from urllib.parse import quote

from emberbox.errors import CallerError
from emberbox.records import dataclass
from emberbox.services.s3.errors import no_such_bucket
from emberbox.services.s3.keeping import Keeper, small
from emberbox.storage.s3_buckets import BucketStore
from emberbox.storage.s3_objects import ObjectStore
from emberbox.storage.s3_records import Bucket, ObjectVersion

_IN_URLS: Final = "%/:?#[]@!$&'()*+,;=~"
_HEADERS: Final = {
    "CacheControl": "cache-control",
    "ContentDisposition": "content-disposition",
    "ContentEncoding": "content-encoding",
    "ContentLanguage": "content-language",
    "ContentType": "content-type",
}


@dataclass(frozen=True, slots=True)
class SiteAnswer:
    """What a website answers."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | AsyncIterator[bytes] = b""


MayRead = Callable[[str], Awaitable[bool]]
"""Whether a visitor may have the object with this ARN."""


class Website:
    """See the module."""

    def __init__(self, buckets: BucketStore, objects: ObjectStore, keeper: Keeper) -> None:
        self._buckets = buckets
        self._objects = objects
        self._keeper = keeper

    async def answer(self, name: str, key: str, host: str, may: MayRead) -> SiteAnswer:
        """The answer for a key, without its first slash; `host` is what redirections go to."""
        bucket = self._buckets.get(name)
        if bucket is None:
            return _error_page(404, no_such_bucket(name))
        site = bucket.settings.get("Website")
        if site is None:
            text = "The specified bucket does not have a website configuration"
            return _error_page(404, CallerError("NoSuchWebsiteConfiguration", text, status=404))
        everything = site.get("RedirectAllRequestsTo")
        if everything:
            protocol = everything.get("Protocol") or "http"
            return _moved(301, f"{protocol}://{everything['HostName']}/{key}")
        rule = _rule(site, key, 0)
        if rule is not None:
            return _redirected(rule, key, host)
        return await self._show(bucket, site, key, host, may)

    async def _show(
        self, bucket: Bucket, site: Mapping[str, Any], key: str, host: str, may: MayRead
    ) -> SiteAnswer:
        index = site["IndexDocument"]["Suffix"]
        wanted = f"{key}{index}" if not key or key.endswith("/") else key
        status = 200 if await may(f"{bucket.arn}/{wanted}") else 403
        if status == 200:
            found = await self._latest(bucket, wanted)
            if found is not None:
                return await self._object(found, 200)
            if key and not key.endswith("/") and await self._latest(bucket, f"{key}/{index}"):
                # Another slash in front would make a host of what follows.
                return _moved(302, f"/{quote(key[0], safe='')}{key[1:]}/")
            status = 404
        rule = _rule(site, key, status)
        if rule is not None:
            return _redirected(rule, key, host)
        return await self._error(bucket, site, key, status, may)

    async def _error(
        self, bucket: Bucket, site: Mapping[str, Any], key: str, status: int, may: MayRead
    ) -> SiteAnswer:
        document = (site.get("ErrorDocument") or {}).get("Key")
        if document and await may(f"{bucket.arn}/{document}"):
            found = await self._latest(bucket, document)
            if found is not None:
                return await self._object(found, status)
        if status == 403:
            return _error_page(403, CallerError("AccessDenied", "Access Denied", status=403))
        text = f"The specified key does not exist. Key: {key}"
        return _error_page(404, CallerError("NoSuchKey", text, status=404))

    async def _latest(self, bucket: Bucket, key: str) -> ObjectVersion | None:
        found = await self._objects.find(bucket, key, None, whole=True)
        return None if found is None or found.is_marker else found

    async def _object(self, version: ObjectVersion, status: int) -> SiteAnswer:
        facts = version.facts.headers
        redirect = facts.get("WebsiteRedirectLocation")
        if redirect:
            return _moved(301, redirect)
        headers = [
            (name, str(facts[member])) for member, name in _HEADERS.items() if member in facts
        ]
        headers += [("etag", f'"{version.etag}"'), ("content-length", str(version.size))]
        body = small(version)
        if body is not None:
            return SiteAnswer(status, headers, body)
        rest = self._keeper.read(version.pieces, 0, version.size, version.bodies)
        return SiteAnswer(status, headers, rest)


def _rule(site: Mapping[str, Any], key: str, status: int) -> Mapping[str, Any] | None:
    """The first routing rule for a key; those for errors when there is one, else the others."""
    for rule in site.get("RoutingRules") or ():
        condition = rule.get("Condition") or {}
        error = condition.get("HttpErrorCodeReturnedEquals")
        if (str(status) if status else None) != error:
            continue
        if key.startswith(condition.get("KeyPrefixEquals") or ""):
            return dict(rule)
    return None


def _redirected(rule: Mapping[str, Any], key: str, host: str) -> SiteAnswer:
    redirect = rule["Redirect"]
    prefix = (rule.get("Condition") or {}).get("KeyPrefixEquals") or ""
    if redirect.get("ReplaceKeyWith") is not None:
        key = redirect["ReplaceKeyWith"]
    elif redirect.get("ReplaceKeyPrefixWith") is not None:
        key = redirect["ReplaceKeyPrefixWith"] + key[len(prefix) :]
    protocol = redirect.get("Protocol") or "http"
    code = int(redirect.get("HttpRedirectCode") or 301)
    return _moved(code, f"{protocol}://{redirect.get('HostName') or host}/{key}")


def _moved(status: int, location: str) -> SiteAnswer:
    return SiteAnswer(status, [("location", quote(location, safe=_IN_URLS))])


def _error_page(status: int, error: CallerError) -> SiteAnswer:
    title = f"{status} {'Forbidden' if status == 403 else 'Not Found'}"
    body = (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n"
        f"<li>Code: {escape(error.code)}</li>\n<li>Message: {escape(error.message)}</li>\n"
        "</ul>\n<hr/>\n</body>\n</html>\n"
    )
    return SiteAnswer(status, [("content-type", "text/html; charset=utf-8")], body.encode())
