"""Roles and policies as values, and the reasons for which the store refuses a change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from json import loads
from typing import Any

TAGS_MAX = 50


class Reason(Enum):
    """Why the store did not do what was asked."""

    NO_ROLE = "no such role"
    NO_INLINE_POLICY = "no such inline policy"
    NO_POLICY = "no such policy"
    NO_VERSION = "no such policy version"
    NOT_ATTACHABLE = "no such policy to attach"
    NOT_ATTACHED = "the policy is not attached"
    NO_BOUNDARY = "the role has no boundary"
    ROLE_EXISTS = "the role exists"
    POLICY_EXISTS = "the policy exists"
    HAS_ATTACHED = "the role has attached policies"
    HAS_INLINE = "the role has inline policies"
    IS_ATTACHED = "the policy is attached"
    HAS_VERSIONS = "the policy has other versions"
    IS_DEFAULT = "the version is the default"
    TOO_MANY_ROLES = "too many roles"
    TOO_MANY_POLICIES = "too many policies"
    TOO_MANY_ATTACHED = "too many attached policies"
    TOO_MANY_VERSIONS = "too many versions"
    TOO_MANY_TAGS = "too many tags"
    INLINE_TOO_LARGE = "the inline policies are too large together"


class RefusedError(Exception):
    """Nothing was changed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Role:
    """An IAM role; `trust` is its trust policy as it was given, `created` whole seconds."""

    account: str
    name: str
    id: str
    path: str
    created: float
    trust: str
    description: str = ""
    max_session_s: int = 3_600
    boundary: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The role's ARN, with its path."""
        return f"arn:aws:iam::{self.account}:role{self.path}{self.name}"

    @property
    def assume_role_policy(self) -> dict[str, Any]:
        """The trust policy, parsed."""
        policy: dict[str, Any] = loads(self.trust)
        return policy


@dataclass(frozen=True, slots=True)
class Policy:
    """A customer managed policy without its documents."""

    account: str
    arn: str
    name: str
    id: str
    path: str
    created: float
    updated: float
    description: str
    default_version: int
    last_version: int
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One document of a managed policy."""

    version: int
    document: str
    created: float
    is_default: bool


@dataclass(frozen=True, slots=True)
class Uses:
    """How many roles a policy is attached to, and how many it bounds."""

    attached: int = 0
    bounded: int = 0


def retagged(
    tags: Mapping[str, str], add: Mapping[str, str], remove: Iterable[str]
) -> dict[str, str]:
    """Tags after a change; a name that differs only in case is replaced. Bounded in number."""
    gone = {name.lower() for name in (*remove, *add)}
    made = {name: value for name, value in tags.items() if name.lower() not in gone}
    made.update(add)
    if len(made) > TAGS_MAX:
        raise RefusedError(Reason.TOO_MANY_TAGS)
    return made
