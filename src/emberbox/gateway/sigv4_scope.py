"""Who signed a request and for which service and region: read from SigV4, not verified here."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from emberbox.records import dataclass

_CREDENTIAL: Final = re.compile(
    rb"Credential=([^/,\s]{1,128})/\d{8}/([A-Za-z0-9-]{1,40})/([A-Za-z0-9-]{1,64})/aws4_request"
)
_ACCOUNT: Final = re.compile(r"\d{12}\Z")
_CACHED: Final = 4_096
_KEY_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class Scope:
    """The credential scope of a request; `service` is the signing name, empty if unsigned."""

    account: str
    region: str
    access_key: str = ""
    service: str = ""

    @property
    def is_signed(self) -> bool:
        """Whether the request carried a credential at all."""
        return self.service != ""


class ScopeReader:
    """Reads scopes; an access key of twelve digits is the account.

    Of any other key `account_of` may know the account; what it does not know means the default.
    """

    def __init__(
        self,
        default_account: str,
        default_region: str,
        account_of: Callable[[str], str | None] = lambda _key: None,
    ) -> None:
        self._default_account = default_account
        self._account_of = account_of
        self.unsigned = Scope(default_account, default_region)
        self._cached: Callable[[bytes, bytes, bytes], Scope] = lru_cache(_CACHED)(self._scope)

    def of_header(self, authorization: bytes | None) -> Scope:
        """The scope in an Authorization header; unsigned if there is none or it is another kind."""
        if not authorization:
            return self.unsigned
        found = _CREDENTIAL.search(authorization)
        return self._cached(*found.groups()) if found is not None else self.unsigned

    def of_query(self, credential: str) -> Scope:
        """The scope in the X-Amz-Credential parameter of a presigned URL."""
        return self.of_header(b"Credential=" + credential.encode("utf-8", "replace"))

    def of_request(self, headers: Mapping[str, str], query: Sequence[tuple[str, str]]) -> Scope:
        """The scope of a whole request: header, presigned query, or S3's older presigned query."""
        authorization = headers.get("authorization")
        if authorization is not None:
            return self.of_header(authorization.encode("utf-8", "replace"))
        named = dict(query)
        if "X-Amz-Credential" in named:
            return self.of_query(named["X-Amz-Credential"])
        if "AWSAccessKeyId" in named and "Signature" in named:
            region = self.unsigned.region.encode()
            return self._cached(named["AWSAccessKeyId"].encode()[:_KEY_MAX], region, b"s3")
        return self.unsigned

    def _scope(self, access_key: bytes, region: bytes, service: bytes) -> Scope:
        key = access_key.decode("latin-1")
        account = key if _ACCOUNT.match(key) else self._account_of(key) or self._default_account
        return Scope(account, region.decode(), key, service.decode().lower())
