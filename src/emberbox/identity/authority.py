"""Whether a caller may do something: its policies brought together and held against the request.

`Authority.may` is what everybody asks: the gateway for clients, event sources for the role of a
function, those who deliver events for the policy of the function they deliver to.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from emberbox.clock import Clock, utc
from emberbox.identity.callers import Caller, role_principal
from emberbox.identity.managed_policies import managed_policies
from emberbox.model.policy.documents import Policy, closed, from_text
from emberbox.model.policy.evaluation import (
    Decision,
    Layer,
    Policies,
    Request,
    Verdict,
    decide,
)
from emberbox.model.policy.principals import Kind as Who
from emberbox.model.policy.principals import Principal
from emberbox.records import dataclass
from emberbox.storage.database import Change
from emberbox.storage.grants import AWS_POLICIES
from emberbox.storage.identities import IdentityStore
from emberbox.storage.identity_database import CHANGED
from emberbox.storage.identity_records import Kind, RefusedError
from emberbox.storage.sessions import Limits

_CACHED_MAX: Final = 10_000
_DECISIONS_MAX: Final = 100_000
_ARN_PREFIX: Final = "arn:"

Grants = tuple[tuple[Policy, ...], Policy | None]
"""Identity policies and boundary."""


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to do; `resource_policies` are those of the resource, if it has any."""

    action: str
    resource: str
    resource_account: str
    context: Mapping[str, Sequence[str]]
    resource_policies: tuple[Policy, ...] = ()
    is_trust: bool = False


class Authority:
    """Decides by the identities as they are now."""

    def __init__(self, identities: IdentityStore, clock: Clock) -> None:
        self._identities = identities
        self._clock = clock
        self._grants: dict[tuple[str, Kind, str], Grants] = {}
        self._session_policies: dict[tuple[str, tuple[str, ...]], tuple[Policy, ...]] = {}
        self._kept: dict[tuple[object, ...], Decision] = {}
        self._generation = 0

    def identity_changed(self, change: Change) -> None:
        """Listener of the change feed: nothing decided before holds any more."""
        if change.kind == CHANGED:
            self._generation += 1
            self._grants.clear()
            self._session_policies.clear()
            self._kept.clear()

    def kept(self, caller: Caller, question: Question) -> Decision | None:
        """A decision made before that no context can change, if there is one."""
        return self._kept.get(_key(caller, question))

    async def may(self, caller: Caller, question: Question) -> Decision:
        """Decide for somebody who has signed a request."""
        key = _key(caller, question)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        generation = self._generation
        policies = await self._policies(caller, question)
        context = {**principal_context(caller, self._clock.now()), **question.context}
        decision = decide(_request(caller.principal, question, context), policies)
        if not policies.keys and generation == self._generation:
            if len(self._kept) >= _DECISIONS_MAX:
                self._kept.clear()
            self._kept[key] = decision
        return decision

    async def may_role(self, role_arn: str, session_name: str, question: Question) -> Decision:
        """Decide for a role at whose behest the platform itself works, as Lambda does for one."""
        account, name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
        try:
            role = await self._identities.role_named(account, name)
        except RefusedError:
            return Decision(Verdict.IMPLICIT_DENY, Layer.IDENTITY)
        principal = role_principal(account, name, session_name, role)
        tags = tuple(role.tags.items())
        caller = Caller(principal, "", "", issued=self._clock.now(), name=name, tags=tags)
        return await self.may(caller, question)

    def may_service(self, principal: Principal, question: Question) -> Decision:
        """Decide for a service of AWS, or for nobody known: by the resource's policies alone."""
        policies = Policies(resource=question.resource_policies, trust=question.is_trust)
        context = {**_time_context(self._clock.now()), **question.context}
        if principal.kind is Who.SERVICE:
            context["aws:principalisawsservice"] = ("true",)
            context["aws:principalservicename"] = (principal.service,)
        return decide(_request(principal, question, context), policies)

    async def policies_of(self, caller: Caller) -> Policies:
        """A caller's own policies: identity, boundary, session."""
        identity, boundary = await self._grants_of(caller)
        session = await self._session_of(caller.principal.account, caller.limits)
        return Policies(identity=identity, boundary=boundary, session=session)

    async def _policies(self, caller: Caller, question: Question) -> Policies:
        own = await self.policies_of(caller)
        return Policies(
            identity=own.identity,
            boundary=own.boundary,
            session=own.session,
            resource=question.resource_policies,
            trust=question.is_trust,
        )

    async def _grants_of(self, caller: Caller) -> Grants:
        kinds = {Who.USER: Kind.USER, Who.ROLE: Kind.ROLE}
        kind = kinds.get(caller.principal.kind)
        if kind is None:
            return (), None
        return await self.grants(caller.principal.account, kind, caller.name)

    async def grants(self, account: str, kind: Kind, name: str) -> Grants:
        """The policies of a user (with its groups), a group or a role; none if there is none."""
        key = (account, kind, name)
        known = self._grants.get(key)
        if known is not None:
            return known
        generation = self._generation
        try:
            found = await self._identities.grants.permissions(account, kind, name)
        except RefusedError:
            return (), None
        policies = tuple(compiled(name, text) for name, text in found.policies)
        made = policies, None if found.boundary is None else compiled(*found.boundary)
        if generation == self._generation:
            if len(self._grants) >= _CACHED_MAX:
                self._grants.clear()
            self._grants[key] = made
        return made

    async def _session_of(self, account: str, limits: Limits) -> tuple[Policy, ...] | None:
        if limits.policies is None:
            return None
        key = (account, limits.policies)
        known = self._session_policies.get(key)
        if known is not None:
            return known
        generation = self._generation
        made = tuple([await self._session_policy(account, each) for each in limits.policies])
        if generation == self._generation:
            if len(self._session_policies) >= _CACHED_MAX:
                self._session_policies.clear()
            self._session_policies[key] = made
        return made

    async def _session_policy(self, account: str, arn_or_text: str) -> Policy:
        if not arn_or_text.startswith(_ARN_PREFIX):
            return from_text("session policy", arn_or_text)
        if arn_or_text.startswith(AWS_POLICIES):
            return compiled(arn_or_text, None)
        text = await self._identities.policies.default_document(account, arn_or_text)
        return closed(arn_or_text) if text is None else from_text(arn_or_text, text)


def compiled(name: str, text: str | None) -> Policy:
    """A policy by its stored text, or one of AWS by its ARN; one that is not here denies all."""
    if text is not None:
        return from_text(name, text)
    of_aws = managed_policies().get(name)
    return closed(name) if of_aws is None else from_text(name, of_aws.document)


def _request(
    principal: Principal, question: Question, context: Mapping[str, Sequence[str]]
) -> Request:
    return Request(
        principal, question.action, question.resource, question.resource_account, context
    )


def _key(caller: Caller, question: Question) -> tuple[object, ...]:
    return (
        caller.principal,
        caller.limits.policies,
        question.action,
        question.resource,
        question.resource_account,
        question.resource_policies,
        question.is_trust,
    )


_TYPES: Final = {Who.ROOT: "Account", Who.USER: "User", Who.ROLE: "AssumedRole"}


def principal_context(caller: Caller, now: float) -> dict[str, Sequence[str]]:
    """The condition keys that tell of the caller and of the time."""
    return {**_time_context(now), **_caller_context(caller)}


@lru_cache(1_024)
def _caller_context(caller: Caller) -> dict[str, Sequence[str]]:
    principal = caller.principal
    found: dict[str, Sequence[str]] = {
        "aws:principalarn": (principal.entity_arn,),
        "aws:principalaccount": (principal.account,),
        "aws:principaltype": (_TYPES.get(principal.kind, "User"),),
        "aws:principalisawsservice": ("false",),
        "aws:userid": (principal.id,),
    }
    if principal.kind is Who.USER:
        found["aws:username"] = (caller.name,)
    for key, value in (*caller.tags, *caller.limits.tags):
        found[f"aws:principaltag/{key.lower()}"] = (value,)
    if caller.issued is not None:
        found["aws:tokenissuetime"] = (f"{utc(caller.issued):%Y-%m-%dT%H:%M:%SZ}",)
        # Temporary credentials carry the key at all; nobody here has a second factor.
        found["aws:multifactorauthpresent"] = ("false",)
    if caller.limits.source_identity is not None:
        found["aws:sourceidentity"] = (caller.limits.source_identity,)
    if caller.limits.provider is not None:
        found["aws:federatedprovider"] = (caller.limits.provider,)
    return found


def _time_context(now: float) -> dict[str, Sequence[str]]:
    return {
        "aws:currenttime": (f"{utc(now):%Y-%m-%dT%H:%M:%SZ}",),
        "aws:epochtime": (str(int(now)),),
    }
