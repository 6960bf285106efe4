"""Sends events to API destinations, let in by their connections, no faster than they want.

Source: "API destinations" and "Connections for API targets" of the EventBridge guide.
"""

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from emberbox.clock import Clock
from emberbox.errors import CallerError, PlatformError
from emberbox.model.event_bus import Connection, Destination, not_found
from emberbox.model.parcels import Parcel
from emberbox.services.events.connections import ConnectionOperations
from emberbox.services.events.destinations import DestinationOperations
from emberbox.services.targets.dispatching import NotYetError
from emberbox.services.targets.web import WebCaller

if TYPE_CHECKING:
    from emberbox.services.targets.web_requests import Answer

_TIMEOUT_S: Final = 5.0
_WAIT_MAX_S: Final = 2.0
_TOKEN_S: Final = 300.0
_AGENT: Final = "Amazon/EventBridge/ApiDestinations"
_UNAUTHORIZED: Final = frozenset({401, 407})
_MAY_PASS: Final = frozenset({401, 407, 409, 429})


class Caller:
    """See the module."""

    def __init__(
        self,
        destinations: DestinationOperations,
        connections: ConnectionOperations,
        web: WebCaller,
        clock: Clock,
    ) -> None:
        self._web = web
        self._destinations = destinations
        self._connections = connections
        self._clock = clock
        self._slots: dict[str, float] = {}
        self._later: dict[str, float] = {}
        self._tokens: dict[str, tuple[str, float]] = {}

    async def call(self, parcel: Parcel) -> None:
        """Send a parcel; CallerError if the server refuses it, PlatformError if it may take it
        later, OSError if it cannot be reached; NotYetError if its rate lets nothing through now."""
        destination = self._destinations.by_arn(parcel.target)
        if destination is None:
            raise not_found(f"{parcel.target} does not exist.")
        connection = self._connections.by_arn(destination.connection)
        if connection is None or connection.state != "AUTHORIZED":
            raise CallerError(
                "ConnectionNotAuthorized", "the connection lets nobody in", status=403
            )
        await self._turn(destination)
        answer = await self._send(parcel, destination, connection)
        if answer.status in _UNAUTHORIZED and self._tokens.pop(connection.arn, ("", 0.0))[0]:
            answer = await self._send(parcel, destination, connection)
        if 200 <= answer.status < 300:
            return
        text = f"the endpoint answered {answer.status}"
        if answer.status >= 500 or answer.status in _MAY_PASS:
            raise PlatformError(text)
        raise CallerError("HTTP_ERROR", text, status=400)

    async def _turn(self, destination: Destination) -> None:
        """Wait until the destination's rate lets another request through."""
        now = self._clock.monotonic()
        slot = max(now, self._slots.get(destination.arn, now))
        if slot - now > _WAIT_MAX_S:
            # Those that come back do so one after the other.
            later = max(slot, self._later.get(destination.arn, slot)) + 1 / destination.rate
            self._later[destination.arn] = later
            raise NotYetError(later - now)
        self._slots[destination.arn] = slot + 1 / destination.rate
        await asyncio.sleep(slot - now)

    async def _send(
        self, parcel: Parcel, destination: Destination, connection: Connection
    ) -> "Answer":
        secrets = self._connections.secrets(connection)
        of_target = parcel.settings.get("HttpParameters") or {}
        extra = secrets.get("InvocationHttpParameters") or {}
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": _AGENT,
            **(of_target.get("HeaderParameters") or {}),
            **_pairs(extra.get("HeaderParameters")),
            **await self._authorization(connection, secrets),
        }
        query = {
            **(of_target.get("QueryStringParameters") or {}),
            **_pairs(extra.get("QueryStringParameters")),
        }
        url = _url(destination.endpoint, of_target.get("PathParameterValues") or (), query)
        body = _merged(parcel.body, _pairs(extra.get("BodyParameters")))
        is_bare = destination.method in ("GET", "HEAD")
        return await self._web(
            destination.method, url, None if is_bare else body.encode(), headers, _TIMEOUT_S
        )

    async def _authorization(
        self, connection: Connection, secrets: Mapping[str, Any]
    ) -> dict[str, str]:
        if connection.kind == "BASIC":
            basic = secrets["BasicAuthParameters"]
            text = f"{basic['Username']}:{basic['Password']}".encode()
            return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}
        if connection.kind == "API_KEY":
            key = secrets["ApiKeyAuthParameters"]
            return {key["ApiKeyName"]: key["ApiKeyValue"]}
        return {"Authorization": f"Bearer {await self._token(connection, secrets)}"}

    async def _token(self, connection: Connection, secrets: Mapping[str, Any]) -> str:
        now = self._clock.monotonic()
        token, until = self._tokens.get(connection.arn, ("", 0.0))
        if now < until:
            return token
        token, life_s = await _fetch_token(self._web, secrets["OAuthParameters"])
        self._tokens[connection.arn] = (token, now + life_s)
        return token


async def _fetch_token(web: WebCaller, given: Mapping[str, Any]) -> tuple[str, float]:
    """A token of an authorization server and its life in seconds."""
    client = given["ClientParameters"]
    extra = given.get("OAuthHttpParameters") or {}
    form = {
        "grant_type": "client_credentials",
        "client_id": client["ClientID"],
        "client_secret": client["ClientSecret"],
        **_pairs(extra.get("BodyParameters")),
    }
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": _AGENT,
        **_pairs(extra.get("HeaderParameters")),
    }
    method, query = given["HttpMethod"], _pairs(extra.get("QueryStringParameters"))
    if method == "GET":
        query |= form
    url = _url(given["AuthorizationEndpoint"], (), query)
    body = None if method == "GET" else urlencode(form).encode()
    answer = await web(method, url, body, headers, _TIMEOUT_S)
    try:
        told = json.loads(answer.body)
        token = str(told["access_token"])
        life_s = float(told.get("expires_in", _TOKEN_S))
    except (ValueError, KeyError, TypeError):
        raise PlatformError(f"the authorization server answered {answer.status}") from None
    return token, life_s * 0.9


def _pairs(parameters: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in parameters or () if each.get("Value")}


def _url(endpoint: str, values: Sequence[str], query: Mapping[str, str]) -> str:
    """The endpoint with its stars replaced in order, and a query added."""
    for value in values:
        endpoint = endpoint.replace("*", quote(value, safe=""), 1)
    if not query:
        return endpoint
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def _merged(body: str, extra: Mapping[str, str]) -> str:
    if not extra:
        return body
    try:
        whole = json.loads(body)
    except ValueError:
        return body
    return json.dumps({**whole, **extra}) if isinstance(whole, dict) else body
