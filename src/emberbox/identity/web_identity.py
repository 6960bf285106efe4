"""Tokens of OpenID Connect issuers: fetched keys, verified signatures, checked claims.

An issuer is believed once somebody has made it a provider in IAM. Its keys come from where its own
configuration says, over https, or http on this machine, bounded in size and time and kept a while.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from emberbox.clock import Clock
from emberbox.records import dataclass
from emberbox.storage.identity_records import Provider

if TYPE_CHECKING:
    # Imported where it is needed: with its ciphers it takes long, and most servers never see a
    # token.
    import jwt
    from jwt.types import Options

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")

_OPTIONS: "Final[Options]" = {
    # Times and audiences are checked here, by the server's clock and the provider's clients.
    "verify_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "require": ["exp", "iat", "sub", "iss"],
}
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_DOCUMENT_MAX_BYTES: Final = 1 << 20
_FETCH_S: Final = 5.0
_KEPT_S: Final = 600.0
_AGAIN_S: Final = 30.0
_KEYS_MAX: Final = 100
_ISSUERS_MAX: Final = 1_000


class TokenError(Exception):
    """A token that proves nothing; the text says why."""


class ExpiredTokenError(TokenError):
    """A token whose time is over."""


class IssuerError(TokenError):
    """The issuer cannot be asked for its keys."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a token proves."""

    issuer: str
    subject: str
    audience: str
    claims: Mapping[str, Any]


@dataclass(slots=True)
class _Keys:
    fetched: float
    by_id: "dict[str, jwt.PyJWK]"


class WebIdentities:
    """Verifies tokens; keeps the keys of issuers for ten minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[str, _Keys] = {}

    def issuer_of(self, token: str) -> str:
        """The issuer a token names, without its scheme; TokenError if it is no token."""
        import jwt

        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.PyJWTError as error:
            raise TokenError(f"The token is malformed: {error}") from None
        return str(claims.get("iss", "")).partition("://")[2]

    async def verify(self, provider: Provider, token: str) -> Identity:
        """What the token proves; TokenError if that is nothing."""
        import jwt

        try:
            header = jwt.get_unverified_header(token)
            key = await self._key(provider.url, header)
            claims = jwt.decode(token, key.key, algorithms=list(ALGORITHMS), options=_OPTIONS)
        except jwt.PyJWTError as error:
            raise TokenError(f"The token cannot be verified: {error}") from None
        return self._checked(provider, claims)

    def _checked(self, provider: Provider, claims: Mapping[str, Any]) -> Identity:
        now = self._clock.now()
        if str(claims["iss"]).partition("://")[2] != provider.url:
            raise TokenError("The token is of another issuer")
        if _number(claims["exp"]) <= now:
            raise ExpiredTokenError("Token expired")
        if _number(claims.get("nbf", 0)) > now + 300 or _number(claims["iat"]) > now + 300:
            raise TokenError("The token is not valid yet")
        given = claims.get("aud", [])
        audiences = [given] if isinstance(given, str) else [str(each) for each in given]
        if "azp" in claims:
            audiences.insert(0, str(claims["azp"]))
        audience = next((each for each in audiences if each in provider.clients), None)
        if audience is None:
            raise TokenError("Incorrect token audience")
        return Identity(provider.url, str(claims["sub"]), audience, claims)

    async def _key(self, url: str, header: Mapping[str, Any]) -> "jwt.PyJWK":
        if header.get("alg") not in ALGORITHMS:
            raise TokenError("The token is signed with an algorithm that is not accepted")
        name, now = str(header.get("kid", "")), self._clock.monotonic()
        known = self._known.get(url)
        age = None if known is None else now - known.fetched
        if age is None or age > _KEPT_S or (name not in _ids(known) and age > _AGAIN_S):
            by_id = await asyncio.to_thread(_fetch_keys, url)
            if len(self._known) >= _ISSUERS_MAX:
                self._known.clear()
            known = self._known[url] = _Keys(now, by_id)
        found = known.by_id.get(name) if known is not None else None
        if found is None:
            raise TokenError("No OpenIDConnect provider key matches the token's key id")
        return found


def _ids(keys: _Keys | None) -> frozenset[str]:
    return frozenset() if keys is None else frozenset(keys.by_id)


def _fetch_keys(url: str) -> "dict[str, jwt.PyJWK]":
    import jwt

    host = urlsplit(f"//{url}").hostname
    scheme = "http" if host in _LOCAL else "https"
    found = _fetch(f"{scheme}://{url.rstrip('/')}/.well-known/openid-configuration")
    where = str(found.get("jwks_uri", ""))
    parts = urlsplit(where)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise IssuerError("The issuer names no place of its keys")
    listed = _fetch(where).get("keys", [])
    made: dict[str, jwt.PyJWK] = {}
    for each in listed[:_KEYS_MAX] if isinstance(listed, list) else ():
        try:
            key = jwt.PyJWK.from_dict(each)
        except (jwt.PyJWTError, AttributeError, KeyError, TypeError, ValueError):
            continue  # a kind of key that is not for signatures, or not known
        made[str(each.get("kid", ""))] = key
    return made


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_more: Any) -> None:
        """Nobody but the issuer itself says where its keys are."""
        return


def _fetch(url: str) -> dict[str, Any]:
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310 - checked by callers
    try:
        with build_opener(_NoRedirect).open(request, timeout=_FETCH_S) as answer:
            text = answer.read(_DOCUMENT_MAX_BYTES + 1)
        if len(text) > _DOCUMENT_MAX_BYTES:
            raise IssuerError(f"{url} is too large")
        found = json.loads(text)
    except (URLError, OSError, ValueError, RecursionError) as error:
        raise IssuerError(f"Couldn't retrieve verification key from {url}: {error}") from None
    if not isinstance(found, dict):
        raise IssuerError(f"{url} is no JSON object")
    return found


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TokenError("The token has a time that is no number") from None
