"""Connections: how to be let in by a server. What is secret of them is kept sealed, shown never."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.identity.sealing import Sealer
from emberbox.model.event_bus import Connection, invalid, not_found
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.events.naming import mine, page, present, stamp, unbuilt
from emberbox.storage.shelf import Shelf, ShelfKey

_MEMBER: Final = {
    "BASIC": "BasicAuthParameters",
    "API_KEY": "ApiKeyAuthParameters",
    "OAUTH_CLIENT_CREDENTIALS": "OAuthParameters",
}
_SECRET: Final = frozenset({"Password", "ApiKeyValue", "ClientSecret"})
_LABEL: Final = "connection of EventBridge"
_UNBUILT: Final = ("InvocationConnectivityParameters", "KmsKeyIdentifier")


class ConnectionOperations:
    """What is done to connections."""

    def __init__(self, connections: Shelf[Connection], sealer: Sealer, clock: Clock) -> None:
        self._connections = connections
        self._sealer = sealer
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CreateConnection": self.create_connection,
            "DeauthorizeConnection": self.deauthorize_connection,
            "DeleteConnection": self.delete_connection,
            "DescribeConnection": self.describe_connection,
            "ListConnections": self.list_connections,
            "UpdateConnection": self.update_connection,
        }

    async def create_connection(self, context: RequestContext, params: Params) -> Params:
        """Add a connection."""
        unbuilt(params, *_UNBUILT)
        name, kind, given = params["Name"], params["AuthorizationType"], params["AuthParameters"]
        _check(kind, given)
        now = self._clock.now()
        fresh = Connection(
            context.account,
            context.region,
            name,
            str(uuid.uuid4()),
            kind,
            self._sealed(given),
            _without_secrets(given),
            now,
            now,
            params.get("Description") or "",
            authorized=now,
        )

        def alter(found: Connection | None) -> Connection:
            if found is not None:
                raise CallerError(
                    "ResourceAlreadyExistsException",
                    f"Connection {name} already exists.",
                    status=400,
                )
            return fresh

        answer = _changed(await self._connections.put(_key_of(fresh), alter))
        del answer["LastAuthorizedTime"]
        return answer

    async def update_connection(self, context: RequestContext, params: Params) -> Params:
        """Change a connection; parameters that are given replace those of the same group."""
        unbuilt(params, *_UNBUILT)
        found = self._found(context, params["Name"])
        kind = params.get("AuthorizationType") or found.kind
        given = {**self.secrets(found), **(params.get("AuthParameters") or {})}
        _check(kind, given)
        now = self._clock.now()
        made = replace(
            found,
            kind=kind,
            sealed=self._sealed(given),
            shown=_without_secrets(given),
            modified=now,
            authorized=now,
            state="AUTHORIZED",
            description=params.get("Description", found.description),
        )
        return _changed(await self._connections.put(_key_of(found), lambda _: made))

    async def deauthorize_connection(self, context: RequestContext, params: Params) -> Params:
        """Forget all secrets of a connection."""
        found = self._found(context, params["Name"])
        made = replace(found, sealed="", state="DEAUTHORIZED", modified=self._clock.now())
        return _changed(await self._connections.put(_key_of(found), lambda _: made))

    async def delete_connection(self, context: RequestContext, params: Params) -> Params:
        """Remove a connection."""
        found = self._found(context, params["Name"])
        await self._connections.remove(_key_of(found))
        return _changed(replace(found, state="DELETING"))

    async def describe_connection(self, context: RequestContext, params: Params) -> Params:
        """One connection, without what is secret."""
        found = self._found(context, params["Name"])
        secret = f"arn:aws:secretsmanager:{found.region}:{found.account}:secret"
        return _shown(found) | present(
            {
                "Description": found.description,
                "AuthParameters": found.shown,
                "SecretArn": f"{secret}:events!connection/{found.name}/{found.token}",
            }
        )

    async def list_connections(self, context: RequestContext, params: Params) -> Params:
        """The connections of the caller's account."""
        state = params.get("ConnectionState")
        found = [
            each
            for each in mine(self._connections, context, params.get("NamePrefix"))
            if state in (None, each.state)
        ]
        return page(found, params, "Connections", _shown)

    def by_arn(self, arn: str) -> Connection | None:
        """The connection of an ARN, or None."""
        parts = arn.split(":")
        name = arn.partition(":connection/")[2].partition("/")[0]
        found = (
            self._connections.get(ShelfKey(parts[4], parts[3], name)) if len(parts) > 5 else None
        )
        return found if found is not None and found.arn == arn else None

    def secrets(self, connection: Connection) -> dict[str, Any]:
        """All parameters of a connection, as they were given."""
        if not connection.sealed:
            return {}
        found: dict[str, Any] = json.loads(
            self._sealer.open(bytes.fromhex(connection.sealed), _LABEL)
        )
        return found

    def _sealed(self, given: Mapping[str, Any]) -> str:
        return self._sealer.seal(json.dumps(given), _LABEL).hex()

    def _found(self, context: RequestContext, name: str) -> Connection:
        found = self._connections.get(ShelfKey(context.account, context.region, name))
        if found is None:
            raise not_found(
                f"Failed to describe the connection(s). Connection '{name}' does not exist."
            )
        return found


def _key_of(connection: Connection) -> ShelfKey:
    return ShelfKey(connection.account, connection.region, connection.name)


def _check(kind: str, given: Mapping[str, Any]) -> None:
    member = _MEMBER.get(kind)
    if member is None or not given.get(member):
        raise invalid(f"AuthParameters must hold {member} for the authorization type {kind}.")
    if given.get("ConnectivityParameters"):
        raise invalid("ConnectivityParameters is not valid. Reason: Emberbox does not build it.")


def _without_secrets(given: Any) -> Any:
    if isinstance(given, list):
        return [_without_secrets(each) for each in given]
    if not isinstance(given, dict):
        return given
    hidden = {"Value"} if given.get("IsValueSecret") else set()
    return {
        name: _without_secrets(value)
        for name, value in given.items()
        if name not in _SECRET | hidden
    }


def _changed(connection: Connection) -> Params:
    shown = _shown(connection)
    del shown["Name"], shown["AuthorizationType"]
    return shown


def _shown(connection: Connection) -> Params:
    return present(
        {
            "ConnectionArn": connection.arn,
            "Name": connection.name,
            "ConnectionState": connection.state,
            "AuthorizationType": connection.kind,
            "CreationTime": stamp(connection.created),
            "LastModifiedTime": stamp(connection.modified),
            "LastAuthorizedTime": stamp(connection.authorized),
        }
    )
