"""Operations on a function of another account, which its resource policy may allow.

What is allowed runs as if the function's own account had asked. What is not allowed is refused by
the operation itself, and where policies are enforced, by the gateway before that.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from emberbox.model.attachment import Kind
from emberbox.model.names import (
    LATEST,
    BadNameError,
    parse_function_arn,
    parse_function_name,
)
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.model.resource_policy import decided_across
from emberbox.storage.catalog import FunctionCatalog

_AT_HOME: Final = frozenset({"CreateFunction"})
_OF_TAGS: Final = frozenset({"ListTags", "TagResource", "UntagResource"})
_MAPPINGS: Final = "EventSourceMapping"
_ACTIONS: Final[Mapping[str, str]] = {"InvokeAsync": "InvokeFunction"}
"""Operations that are decided by an action of another name."""


class AcrossAccounts:
    """Lets operations through. `is_decided` where the gateway has asked the policies already."""

    def __init__(self, catalog: FunctionCatalog, *, is_decided: bool) -> None:
        self._catalog = catalog
        self._is_decided = is_decided

    def let_in(self, operations: Mapping[str, Operation]) -> dict[str, Operation]:
        """The same operations, on functions of other accounts too where one works on a function.

        A function is made, and mappings are, in the caller's own account only.
        """
        return {
            name: operation
            if name in _AT_HOME or _MAPPINGS in name
            else self._through(operation, "Resource" if name in _OF_TAGS else "FunctionName")
            for name, operation in operations.items()
        }

    def _through(self, operation: Operation, member: str) -> Operation:
        async def call(context: RequestContext, params: Params) -> Params | Reply:
            named = params.get(member)
            if isinstance(named, str) and ":" in named:
                context = self._as_owner(context, named, params.get("Qualifier"))
            return await operation(context, params)

        return call

    def _as_owner(
        self, context: RequestContext, named: str, qualifier: str | None
    ) -> RequestContext:
        """The context of the function's account, if that is another one and lets the caller in."""
        parse = parse_function_arn if context.operation in _OF_TAGS else parse_function_name
        try:
            found = parse(named)
        except BadNameError:
            return context
        owner = found.account
        if owner in (None, context.account) or found.region not in (None, context.region):
            return context
        assert owner is not None
        if not self._is_decided:
            key, qualifier = (owner, context.region, found.name), qualifier or found.qualifier
            policy = self._catalog.attachment(key, Kind.POLICY, qualifier or LATEST)
            action = f"lambda:{_ACTIONS.get(context.operation, context.operation)}"
            document = None if policy is None else policy.value
            _, decision = decided_across(context.account, action, key, qualifier, document)
            if not decision.is_allowed:
                return context
        return replace(context, account=owner)
