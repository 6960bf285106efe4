"""What an operation needs: which action on which resource, in which context.

The tables of `emberbox.gateway.access.services` say how the members of a request name resources.
Source: the Service Authorization Reference.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final

from emberbox.model.request import Params
from emberbox.records import dataclass

ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operation works: the account and region of whoever calls."""

    account: str
    region: str

    def arn(self, service: str, resource: str) -> str:
        """An ARN of this place."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


@dataclass(frozen=True, slots=True)
class Need:
    """One action on one resource; `context` are the condition keys that only this action has."""

    action: str
    resource: str
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)


Finder = Callable[[Any, Place, Params], str]
"""The ARN that a member's value names; it may look at other members too."""

More = Callable[[Place, Params], Iterable[Need]]
"""Further needs of an operation."""


@dataclass(frozen=True, slots=True)
class Access:
    """How a service's requests name resources.

    `members` are looked at in their order and the first that is there decides; a list names one
    resource with each element. `actions` are operations whose action has another name. `without`
    are operations that touch no resource of their own, whose policies say `*`; `free` need nobody's
    permission. An operation that no part of the table knows is refused. `conditions` are the
    condition keys that a request's members stand for, whatever it needs.
    """

    prefix: str
    members: Mapping[str, Finder]
    actions: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    free: frozenset[str] = frozenset()
    more: Mapping[str, More] = field(default_factory=dict)
    instead: Mapping[str, More] = field(default_factory=dict)
    conditions: Callable[[Params], Mapping[str, Sequence[str]]] | None = None

    def knows(self, operation: str, members: Iterable[str]) -> bool:
        """Whether the table has an answer for an operation with these members."""
        named = operation in self.without | self.free or operation in self.instead
        return named or not self.members.keys().isdisjoint(members)

    def needs(self, operation: str, place: Place, params: Params) -> list[Need]:
        """What the caller needs; empty for what nobody needs permission for."""
        found = self._needs(operation, place, params)
        if self.conditions is None:
            return found
        context = self.conditions(params)
        return [replace(need, context={**context, **need.context}) for need in found]

    def _needs(self, operation: str, place: Place, params: Params) -> list[Need]:
        if operation in self.free:
            return []
        if operation in self.instead:
            return list(self.instead[operation](place, params))
        action = f"{self.prefix}:{self.actions.get(operation, operation)}"
        found = [Need(action, arn) for arn in self._resources(operation, place, params)]
        if operation in self.more:
            found += self.more[operation](place, params)
        return found

    def _resources(self, operation: str, place: Place, params: Params) -> list[str]:
        if operation in self.without:
            return [ANY]
        for member, find in self.members.items():
            value = params.get(member)
            if value:
                values = value if isinstance(value, list) else [value]
                return [find(each, place, params) for each in values]
        return [ANY]


def itself(value: Any, _place: Place, _params: Params) -> str:
    """The member is an ARN."""
    return str(value)


def named(service: str, resource: str) -> Finder:
    """The member is a name, or an ARN already; `resource` has a place for it."""

    def find(value: Any, place: Place, _params: Params) -> str:
        text = str(value)
        return text if text.startswith("arn:") else place.arn(service, resource.format(text))

    return find


def global_named(service: str, resource: str) -> Finder:
    """As `named`, for services without regions."""

    def find(value: Any, place: Place, _params: Params) -> str:
        text = str(value)
        whole = f"arn:aws:{service}::{place.account}:{resource.format(text)}"
        return text if text.startswith("arn:") else whole

    return find


def pass_role(member: str, service: str) -> More:
    """iam:PassRole for the role in a member, if there is one, to a service."""

    def needs(_place: Place, params: Params) -> Iterable[Need]:
        if params.get(member):
            context = {"iam:passedtoservice": (service,)}
            yield Need("iam:PassRole", str(params[member]), context)

    return needs
