"""Whether a request is allowed, and which statement of which policy decides.

Source: IAM user guide, "Policy evaluation logic", "Cross-account policy evaluation logic" and
"Permissions boundaries for IAM entities".
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from enum import Enum

from emberbox.model.policy.documents import Policy, Statement
from emberbox.model.policy.patterns import Context
from emberbox.model.policy.principals import Kind, Naming, Principal
from emberbox.records import dataclass


class Layer(Enum):
    """A kind of policy, in AWS's words."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    TRUST = "role trust policy"


class Verdict(Enum):
    """What came of it, in the words of the policy simulator."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


@dataclass(frozen=True, slots=True)
class Request:
    """Who wants to do what to what; `action` is `service:Operation`, `resource` an ARN or `*`."""

    principal: Principal
    action: str
    resource: str
    resource_account: str
    context: Context = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policies:
    """All policies that concern a request.

    `boundary` and `session` None mean that there is none of the kind, which limits nothing; several
    session policies allow what any of them allows. `trust` says that the resource policies are the
    trust policy of a role, without which nobody may assume it.
    """

    identity: Sequence[Policy] = ()
    resource: Sequence[Policy] = ()
    boundary: Policy | None = None
    session: Sequence[Policy] | None = None
    trust: bool = False

    @property
    def layers(self) -> Iterator[tuple[Layer, Sequence[Policy]]]:
        """The policies by kind."""
        yield (Layer.TRUST if self.trust else Layer.RESOURCE), self.resource
        yield Layer.IDENTITY, self.identity
        yield Layer.BOUNDARY, () if self.boundary is None else (self.boundary,)
        yield Layer.SESSION, self.session or ()

    @property
    def keys(self) -> frozenset[str]:
        """The condition keys that any of them reads; if there are none, only who, what and on what
        matter."""
        return frozenset().union(*(p.keys for _, policies in self.layers for p in policies))


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer. `layer` is the kind of policy that allowed, denied, or would have had to allow;
    `statement` the one that did, None where none did."""

    verdict: Verdict
    layer: Layer
    statement: Statement | None = None

    @property
    def is_allowed(self) -> bool:
        """Whether the request may go on."""
        return self.verdict is Verdict.ALLOWED


def decide(request: Request, policies: Policies) -> Decision:
    """Decide a request by everything that concerns it."""
    is_bounded = policies.boundary is not None
    for layer, of_layer in policies.layers:
        for statement in _matching(request, of_layer, layer, is_bounded=is_bounded):
            if not statement.allows:
                return Decision(Verdict.EXPLICIT_DENY, layer, statement)
    granted = _granted(request, policies)
    if request.principal.kind in {Kind.SERVICE, Kind.FEDERATED, Kind.ANONYMOUS}:
        return _by_resource(policies, granted)
    if request.principal.account != request.resource_account:
        return _across_accounts(request, policies, granted)
    return _within_account(request, policies, granted)


def matching(request: Request, policies: Policies) -> Iterator[tuple[Layer, Statement]]:
    """All statements that are about a request, allowing or denying."""
    is_bounded = policies.boundary is not None
    for layer, of_layer in policies.layers:
        for statement in _matching(request, of_layer, layer, is_bounded=is_bounded):
            yield layer, statement


def _matching(
    request: Request, policies: Iterable[Policy], layer: Layer, *, is_bounded: bool
) -> Iterator[Statement]:
    action = request.action.lower()
    names_principals = layer in {Layer.RESOURCE, Layer.TRUST}
    for policy in policies:
        for statement in policy.statements:
            if names_principals and not _is_named(statement, request.principal, is_bounded):
                continue
            if statement.is_about(action, request.resource, request.context):
                yield statement


def _is_named(statement: Statement, caller: Principal, is_bounded: bool) -> bool:
    """Whether the statement of a resource's policy is about the caller; without a principal a
    denial is about all, and an allowance about nobody."""
    if statement.principals is None:
        return not statement.allows
    return statement.principals.applies(caller, is_bounded=is_bounded, allows=statement.allows)


@dataclass(frozen=True, slots=True)
class _Grant:
    """What the resource policies allow at most: how they name the caller, and where."""

    naming: Naming
    statement: Statement


def _granted(request: Request, policies: Policies) -> _Grant | None:
    best: _Grant | None = None
    is_bounded = policies.boundary is not None
    for statement in _matching(request, policies.resource, Layer.RESOURCE, is_bounded=is_bounded):
        if not statement.allows or statement.principals is None:
            continue
        naming = (
            Naming.ACCOUNT
            if statement.principals.is_negated
            else statement.principals.naming(request.principal)
        )
        if naming is not None and (best is None or naming > best.naming):
            best = _Grant(naming, statement)
    return best


def _by_resource(policies: Policies, granted: _Grant | None) -> Decision:
    layer = Layer.TRUST if policies.trust else Layer.RESOURCE
    if granted is None:
        return Decision(Verdict.IMPLICIT_DENY, layer)
    return Decision(Verdict.ALLOWED, layer, granted.statement)


def _within_account(request: Request, policies: Policies, granted: _Grant | None) -> Decision:
    if policies.trust and granted is None:
        return Decision(Verdict.IMPLICIT_DENY, Layer.TRUST)
    if granted is not None and granted.naming is Naming.DIRECT:
        return _by_resource(policies, granted)
    by_identity = _by_identity(request, policies)
    if granted is None or granted.naming is Naming.ACCOUNT:
        return by_identity
    # The role is named: that stands in for an identity-based policy, and only for that.
    if by_identity.is_allowed or by_identity.layer is not Layer.IDENTITY:
        return by_identity
    return _limited(request, policies, _by_resource(policies, granted))


def _across_accounts(request: Request, policies: Policies, granted: _Grant | None) -> Decision:
    by_identity = _by_identity(request, policies)
    by_resource = _by_resource(policies, granted)
    return by_resource if by_identity.is_allowed else by_identity


def _by_identity(request: Request, policies: Policies) -> Decision:
    if request.principal.kind is Kind.ROOT:
        return _limited(request, policies, Decision(Verdict.ALLOWED, Layer.IDENTITY))
    found = _allowing(request, policies.identity, Layer.IDENTITY)
    if found is None:
        return Decision(Verdict.IMPLICIT_DENY, Layer.IDENTITY)
    return _limited(request, policies, Decision(Verdict.ALLOWED, Layer.IDENTITY, found))


def _limited(request: Request, policies: Policies, allowed: Decision) -> Decision:
    """What is allowed so far, unless a boundary or the session's policies do not allow it."""
    boundary = policies.boundary
    if boundary is not None and _allowing(request, (boundary,), Layer.BOUNDARY) is None:
        return Decision(Verdict.IMPLICIT_DENY, Layer.BOUNDARY)
    session = policies.session
    if session is not None and _allowing(request, session, Layer.SESSION) is None:
        return Decision(Verdict.IMPLICIT_DENY, Layer.SESSION)
    return allowed


def _allowing(request: Request, policies: Sequence[Policy], layer: Layer) -> Statement | None:
    found = _matching(request, policies, layer, is_bounded=False)
    return next((statement for statement in found if statement.allows), None)
