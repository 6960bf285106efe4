"""The policy simulator: what would be decided, by the rules that decide real requests.

Source: API reference of IAM, SimulatePrincipalPolicy and SimulateCustomPolicy.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import product

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.identity.authority import Authority, principal_context
from emberbox.identity.callers import Caller, role_principal, user_principal
from emberbox.model.policy.documents import Policy, from_text
from emberbox.model.policy.evaluation import (
    Layer,
    Policies,
    Request,
    Verdict,
    decide,
    matching,
)
from emberbox.model.policy.principals import Kind as Who
from emberbox.model.policy.principals import Principal, root
from emberbox.model.policy_documents import check_identity_policy
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.iam import wire
from emberbox.storage.identities import IdentityStore
from emberbox.storage.identity_records import Kind

_SOURCE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):(user|group|role)/(?:.*/)?([^/]+)")
_RESULTS_MAX = 10_000
_TYPES = {Layer.RESOURCE: "resource", Layer.BOUNDARY: "none", Layer.IDENTITY: "user"}


class SimulationOperations:
    """What IAM does to try policies out."""

    def __init__(self, identities: IdentityStore, authority: Authority, clock: Clock) -> None:
        self._identities = identities
        self._authority = authority
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "SimulatePrincipalPolicy": self.simulate_principal_policy,
            "SimulateCustomPolicy": self.simulate_custom_policy,
            "GetContextKeysForCustomPolicy": self.get_context_keys_for_custom_policy,
            "GetContextKeysForPrincipalPolicy": self.get_context_keys_for_principal_policy,
        }

    async def simulate_principal_policy(self, context: RequestContext, params: Params) -> Params:
        """Decide as for a user, group or role as it stands, and policies besides."""
        source, policies = await self._of_source(context, params)
        who = source
        if "CallerArn" in params:
            who, _ = await self._entity(context, params["CallerArn"])
        more = _compiled("PolicyInputList", params)
        boundary = _compiled("PermissionsBoundaryPolicyInputList", params)
        return self._simulated(
            params,
            who,
            Policies(
                identity=(*policies.identity, *more),
                boundary=boundary[0] if boundary else policies.boundary,
                resource=_resource_policy(params),
            ),
        )

    async def simulate_custom_policy(self, context: RequestContext, params: Params) -> Params:
        """Decide by the policies given and nothing else."""
        boundary = _compiled("PermissionsBoundaryPolicyInputList", params)
        who = Caller(_nobody(context.account), "", "")
        if "CallerArn" in params:
            who, _ = await self._entity(context, params["CallerArn"])
        policies = Policies(
            identity=_compiled("PolicyInputList", params),
            boundary=boundary[0] if boundary else None,
            resource=_resource_policy(params),
        )
        return self._simulated(params, who, policies)

    async def get_context_keys_for_custom_policy(
        self, _context: RequestContext, params: Params
    ) -> Params:
        """List the condition keys that policies read."""
        return _keys(_compiled("PolicyInputList", params))

    async def get_context_keys_for_principal_policy(
        self, context: RequestContext, params: Params
    ) -> Params:
        """List the condition keys that the policies of a user, group or role read."""
        _, policies = await self._of_source(context, params)
        return _keys((*policies.identity, *_compiled("PolicyInputList", params)))

    async def _of_source(self, context: RequestContext, params: Params) -> tuple[Caller, Policies]:
        return await self._entity(context, params["PolicySourceArn"])

    async def _entity(self, context: RequestContext, arn: str) -> tuple[Caller, Policies]:
        found = _SOURCE.fullmatch(arn)
        if found is None or found[1] != context.account:
            raise CallerError("InvalidInput", f"Invalid Entity Arn: {arn}", status=400)
        kind, name = Kind(found[2]), found[3]
        caller = await self._caller(context.account, kind, name)
        identity, boundary = await self._authority.grants(context.account, kind, name)
        return caller, Policies(identity=identity, boundary=boundary)

    async def _caller(self, account: str, kind: Kind, name: str) -> Caller:
        match kind:
            case Kind.USER:
                user = await self._identities.users.user(account, name)
                tags = tuple(user.tags.items())
                return Caller(user_principal(user), "", "", name=name, tags=tags)
            case Kind.ROLE:
                role = await self._identities.role_named(account, name)
                principal = role_principal(account, name, "simulation", role)
                return Caller(principal, "", "", name=name, tags=tuple(role.tags.items()))
            case Kind.GROUP:
                await self._identities.users.group(account, name)
                return Caller(_nobody(account), "", "")

    def _simulated(self, params: Params, who: Caller, policies: Policies) -> Params:
        resources = params.get("ResourceArns") or ["*"]
        pairs = list(product(params["ActionNames"], resources))
        if len(pairs) > _RESULTS_MAX:
            raise CallerError("InvalidInput", "Too many combinations to simulate.", status=400)
        given = {
            entry["ContextKeyName"].lower(): tuple(entry.get("ContextKeyValues", ()))
            for entry in params.get("ContextEntries", ())
        }
        # Of nobody, nothing is known but what the request tells.
        own = principal_context(who, self._clock.now()) if who.name else {}
        context = {**own, **given}
        missing = sorted(policies.keys - context.keys())
        results = [
            _result(_request(who.principal, action, resource, params, context), policies, missing)
            for action, resource in pairs
        ]
        numbered = list(enumerate(results))
        return wire.paged(
            params,
            "EvaluationResults",
            numbered,
            lambda item: f"{item[0]:06}",
            lambda item: item[1],
        )


def _request(
    principal: Principal,
    action: str,
    resource: str,
    params: Params,
    context: dict[str, Sequence[str]],
) -> Request:
    if ":" not in action:
        raise CallerError("InvalidInput", f"Invalid Action: {action}", status=400)
    owner = params.get("ResourceOwner", "").split(":")
    account = owner[4] if len(owner) > 4 else _account_in(resource) or principal.account
    return Request(principal, action, resource, account, context)


def _account_in(arn: str) -> str:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) > 5 and parts[4].isdigit() else ""


def _result(request: Request, policies: Policies, missing: list[str]) -> Params:
    decision = decide(request, policies)
    allowed_by_boundary = decision.layer is not Layer.BOUNDARY
    shown: Params = {
        "EvalActionName": request.action,
        "EvalResourceName": request.resource,
        "EvalDecision": decision.verdict.value,
        "MatchedStatements": [
            {"SourcePolicyId": statement.policy, "SourcePolicyType": _TYPES.get(layer, "none")}
            for layer, statement in matching(request, policies)
            if statement.allows is (decision.verdict is Verdict.ALLOWED)
        ],
        "MissingContextValues": missing,
    }
    if policies.boundary is not None:
        shown["PermissionsBoundaryDecisionDetail"] = {
            "AllowedByPermissionsBoundary": allowed_by_boundary
        }
    return shown


def _compiled(member: str, params: Params) -> tuple[Policy, ...]:
    texts = params.get(member, ())
    for text in texts:
        check_identity_policy(text)
    return tuple(from_text(f"{member}.{number}", text) for number, text in enumerate(texts, 1))


def _resource_policy(params: Params) -> tuple[Policy, ...]:
    text = params.get("ResourcePolicy")
    return () if text is None else (from_text("ResourcePolicy", text),)


def _keys(policies: Iterable[Policy]) -> Params:
    return {"ContextKeyNames": sorted(frozenset[str]().union(*(p.keys for p in policies)))}


def _nobody(account: str) -> Principal:
    """Whose policies alone decide: not the root, who may do everything."""
    return Principal(Who.USER, account, root(account).arn, root(account).arn, "simulated")
