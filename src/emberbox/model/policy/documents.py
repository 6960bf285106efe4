"""A policy document, read once so that requests can be held against it often."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from emberbox.model.policy.conditions import Condition, Null, OperandError, conditions
from emberbox.model.policy.patterns import (
    Bound,
    Context,
    Matcher,
    Pattern,
    arn_glob,
    glob,
    template,
)
from emberbox.model.policy.principals import Principals
from emberbox.records import dataclass

WITH_VARIABLES: Final = "2012-10-17"
_CACHED: Final = 2_048


class UnreadablePolicyError(ValueError):
    """A text that is no policy; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One statement. `number` is its place in the policy, from 1; `policy` the policy's name."""

    policy: str
    number: int
    sid: str
    allows: bool
    actions: tuple[Matcher, ...]
    spares_actions: bool
    resources: tuple[Pattern, ...]
    spares_resources: bool
    principals: Principals | None
    conditions: tuple[Condition | Null, ...]

    def is_about(self, action: str, resource: str, context: Context) -> bool:
        """Whether action (in lower case), resource and context are those of the statement."""
        return (
            any(matches(action) for matches in self.actions) != self.spares_actions
            and self._covers(resource, context)
            and all(condition.holds(context) for condition in self.conditions)
        )

    def _covers(self, resource: str, context: Context) -> bool:
        if not self.resources:
            return True  # a trust policy is about its own role
        found = any(pattern.matches(resource, context) for pattern in self.resources)
        return found != self.spares_resources

    @property
    def keys(self) -> Iterable[str]:
        """The condition keys it reads."""
        for condition in self.conditions:
            yield condition.key
            yield from condition.keys
        for pattern in self.resources:
            yield from pattern.template.keys


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """A compiled policy; `keys` are the condition keys it reads, in lower case."""

    name: str
    statements: tuple[Statement, ...]
    keys: frozenset[str]


def compiled(name: str, document: Mapping[str, Any]) -> Policy:
    """The policy of a parsed document; UnreadablePolicyError for one without sense.

    `name` is how decisions cite it: an ARN, or the name of an inline policy.
    """
    found = document.get("Statement")
    listed = found if isinstance(found, list) else [found]
    variables = document.get("Version") == WITH_VARIABLES
    try:
        statements = tuple(
            _statement(name, number, each, variables=variables)
            for number, each in enumerate(listed, 1)
        )
    except (OperandError, TypeError, AttributeError, KeyError) as error:
        raise UnreadablePolicyError(str(error)) from None
    keys = frozenset(key for statement in statements for key in statement.keys)
    return Policy(name, statements, keys)


@lru_cache(_CACHED)
def from_text(name: str, text: str) -> Policy:
    """The policy of a stored text. A text that cannot be read denies everything, and is cited."""
    try:
        document = json.loads(text)
        if not isinstance(document, Mapping):
            return closed(name)
        return compiled(name, document)
    except (ValueError, RecursionError):
        return closed(name)


def closed(name: str) -> Policy:
    """A policy that denies everything: the answer to a document that nobody can read."""
    everything = {"Effect": "Deny", "Action": "*", "Resource": "*", "Sid": "Unreadable"}
    return compiled(name, {"Statement": [everything]})


def _statement(name: str, number: int, found: Mapping[str, Any], *, variables: bool) -> Statement:
    resources = found.get("Resource", found.get("NotResource"))
    principal = found.get("Principal", found.get("NotPrincipal"))
    return Statement(
        policy=name,
        number=number,
        sid=str(found.get("Sid") or ""),
        allows=found["Effect"] == "Allow",
        actions=tuple(
            _action(text) for text in _texts(found.get("Action", found.get("NotAction")))
        ),
        spares_actions="NotAction" in found,
        resources=tuple(
            _pattern(text, arn_glob, variables=variables) for text in _texts(resources)
        ),
        spares_resources="NotResource" in found,
        principals=None
        if principal is None
        else Principals(principal, is_negated="NotPrincipal" in found),
        conditions=tuple(conditions(found.get("Condition") or {}, variables=variables)),
    )


def _action(text: str) -> Matcher:
    parts = template(text.lower(), variables=False).bound({})
    return glob(parts or ())


def _pattern(text: str, make: Callable[[Sequence[Bound]], Matcher], *, variables: bool) -> Pattern:
    return Pattern(template(text, variables=variables), make)


def _texts(value: Any) -> Sequence[str]:
    if value is None:
        return ()
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(each, str) for each in listed):
        raise OperandError("a list of texts is empty, or holds something else")
    return listed
