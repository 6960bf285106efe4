"""Resource policies: AddPermission, RemovePermission, GetPolicy, and the operations on the whole.

A policy hangs on a function, a version or an alias, and shares the revision id of that: to change
the policy is to make a new revision.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.functions.absent import no_such_resource
from emberbox.functions.attaching import Attaching
from emberbox.functions.finding import exists
from emberbox.functions.references import Target, target_of
from emberbox.model.configuration import invalid
from emberbox.model.names import LATEST
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.model.resource_policy import (
    parsed,
    statement,
    text_of,
    with_statement,
    without_statement,
)
from emberbox.storage.attachments import Revision, RevisionError
from emberbox.storage.catalog import FunctionCatalog

_FUNCTION: Final = re.compile(r"arn:aws[a-zA-Z-]*:lambda:[^:]+:\d{12}:function:.+")
_STALE: Final = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to "
    "retrieve the latest Revision Id"
)

Document = Mapping[str, Any]


class Permissions:
    """The operations."""

    def __init__(self, policies: Attaching, catalog: FunctionCatalog) -> None:
        self._policies = policies
        self._catalog = catalog

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "AddPermission": self.add_permission,
            "DeleteResourcePolicy": self.delete_resource_policy,
            "GetPolicy": self.get_policy,
            "GetResourcePolicy": self.get_resource_policy,
            "PutResourcePolicy": self.put_resource_policy,
            "RemovePermission": self.remove_permission,
        }

    async def add_permission(self, context: RequestContext, params: Params) -> Params:
        """Add one statement."""
        target = target_of(context, params)
        self._check_function(target)
        self._check_qualifier(target)
        if target.qualifier == LATEST:
            raise _not_for_latest()
        added = statement(target.arn, params)
        await self._change(target, params, lambda before: with_statement(before, added))
        return {"Statement": text_of(added)}

    async def remove_permission(self, context: RequestContext, params: Params) -> Reply:
        """Remove one statement, and with the last one the policy."""
        target = target_of(context, params)
        if not exists(self._catalog, target.of(None)):
            raise _no_policy_for(target.of(None))
        self._check_qualifier(target)

        def without(before: Document | None) -> Document | None:
            if before is None:
                raise _no_policy()
            return without_statement(before, params["StatementId"])

        await self._change(target, params, without)
        return Reply(status=204)

    async def get_policy(self, context: RequestContext, params: Params) -> Params:
        """The policy, and the revision it is of."""
        target = target_of(context, params)
        self._check_function(target)
        return self._shown(target)

    async def put_resource_policy(self, context: RequestContext, params: Params) -> Params:
        """Replace the policy as a whole."""
        target = self._named(context, params)
        if target.qualifier == LATEST:
            raise _not_for_latest()
        document = parsed(params["Policy"], target.arn)
        await self._change(target, params, lambda _: document)
        return self._shown(target)

    async def get_resource_policy(self, context: RequestContext, params: Params) -> Params:
        """The policy as a whole."""
        return self._shown(self._named(context, params))

    async def delete_resource_policy(self, context: RequestContext, params: Params) -> Reply:
        """Remove the policy as a whole."""
        target = self._named(context, params)

        def nothing(before: Document | None) -> None:
            if before is None:
                raise no_such_resource()

        await self._change(target, params, nothing)
        return Reply(status=204)

    async def _change(self, target: Target, params: Params, change: Any) -> None:
        revision = Revision(params.get("RevisionId"), str(uuid.uuid4()))
        try:
            await self._policies.change(target, change, revision=revision)
        except RevisionError:
            raise CallerError("PreconditionFailedException", _STALE, status=412) from None

    def _shown(self, target: Target) -> Params:
        policy = self._policies.get(target)
        if policy is None:
            raise no_such_resource()
        qualifier = target.qualifier or LATEST
        thing = self._catalog.alias(target.key, qualifier) or self._catalog.version(
            target.key, qualifier
        )
        assert thing is not None
        return {"Policy": text_of(policy.value), "RevisionId": thing.revision_id}

    def _check_function(self, target: Target) -> None:
        if not exists(self._catalog, target.of(None)):
            raise target.of(None).missing()

    def _check_qualifier(self, target: Target) -> None:
        if not exists(self._catalog, target):
            raise target.missing_qualifier()

    def _named(self, context: RequestContext, params: Params) -> Target:
        """The function, version or alias that `ResourceArn` means; runtimes have no policies."""
        arn = params["ResourceArn"]
        if not _FUNCTION.match(arn):
            raise no_such_resource()
        target = target_of(context, {"FunctionName": arn})
        if not exists(self._catalog, target):
            raise target.missing()
        return target


def _not_for_latest() -> CallerError:
    return invalid("We currently do not support adding policies for $LATEST.")


def _no_policy_for(target: Target) -> CallerError:
    return CallerError(
        "ResourceNotFoundException", f"No policy found for: {target.arn}", status=404
    )


def _no_policy() -> CallerError:
    return CallerError(
        "ResourceNotFoundException", "No policy is associated with the given resource.", status=404
    )
