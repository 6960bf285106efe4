"""AddLayerVersionPermission, GetLayerVersionPolicy, RemoveLayerVersionPermission."""

import uuid
from collections.abc import Callable

from emberbox.errors import CallerError
from emberbox.functions.layer_naming import own_layer
from emberbox.functions.layering import checked_number
from emberbox.model.layers import (
    LayerStatement,
    LayerVersion,
    granted,
    layer_arn,
    policy_document,
    revoked,
    statement_text,
)
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.storage.layers import LayerKey, LayerMissingError, LayerStore

Alter = Callable[[LayerVersion], tuple[LayerStatement, ...]]

_STALE = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API "
    "to retrieve the latest Revision Id"
)


class LayerPolicies:
    """Who else may use a layer version."""

    def __init__(self, store: LayerStore) -> None:
        self._store = store

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "AddLayerVersionPermission": self.add_layer_version_permission,
            "GetLayerVersionPolicy": self.get_layer_version_policy,
            "RemoveLayerVersionPermission": self.remove_layer_version_permission,
        }

    async def add_layer_version_permission(self, context: RequestContext, params: Params) -> Params:
        """Let an account, an organisation or everybody use a version."""
        key, number = own_layer(context, params), checked_number(params["VersionNumber"])
        statement = LayerStatement(
            params["StatementId"],
            params["Action"],
            params["Principal"],
            params.get("OrganizationId"),
        )

        def alter(before: LayerVersion) -> tuple[LayerStatement, ...]:
            _check_revision(before, params)
            return granted(before, statement)

        after = await self._alter(key, number, alter)
        return {
            "Statement": statement_text(after, statement),
            "RevisionId": after.policy_revision,
        }

    async def get_layer_version_policy(self, context: RequestContext, params: Params) -> Params:
        """The policy of a version as a document."""
        key, number = own_layer(context, params), checked_number(params["VersionNumber"])
        version = await self._store.get(key, number)
        if version is None:
            raise _missing(key, number)
        if not version.policy:
            raise CallerError(
                "ResourceNotFoundException",
                "No policy is associated with the given resource.",
                status=404,
            )
        return {
            "Policy": policy_document(version, version.policy),
            "RevisionId": version.policy_revision,
        }

    async def remove_layer_version_permission(
        self, context: RequestContext, params: Params
    ) -> Reply:
        """Take a grant back."""
        key, number = own_layer(context, params), checked_number(params["VersionNumber"])

        def alter(before: LayerVersion) -> tuple[LayerStatement, ...]:
            _check_revision(before, params)
            return revoked(before, params["StatementId"])

        await self._alter(key, number, alter)
        return Reply(status=204)

    async def _alter(self, key: LayerKey, number: int, alter: Alter) -> LayerVersion:
        try:
            return await self._store.alter_policy(key, number, alter, str(uuid.uuid4()))
        except LayerMissingError:
            raise _missing(key, number) from None


def _check_revision(version: LayerVersion, params: Params) -> None:
    wanted = params.get("RevisionId")
    if wanted is not None and wanted != version.policy_revision:
        raise CallerError("PreconditionFailedException", _STALE, status=412)


def _missing(key: LayerKey, number: int) -> CallerError:
    arn = layer_arn(*key, number)
    return CallerError(
        "ResourceNotFoundException", f"Layer version {arn} does not exist.", status=404
    )
