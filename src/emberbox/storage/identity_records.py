"""What IAM keeps, as values, and the reasons for which the store refuses a change."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from enum import Enum
from json import loads
from typing import Any

from emberbox.records import dataclass

TAGS_MAX = 50


class Kind(Enum):
    """What may have policies."""

    USER = "user"
    GROUP = "group"
    ROLE = "role"


class Reason(Enum):
    """Why the store did not do what was asked."""

    NO_USER = "no such user"
    NO_GROUP = "no such group"
    NO_ROLE = "no such role"
    NO_USER_POLICY = "no such inline policy of a user"
    NO_GROUP_POLICY = "no such inline policy of a group"
    NO_ROLE_POLICY = "no such inline policy of a role"
    NO_POLICY = "no such policy"
    NO_VERSION = "no such policy version"
    NO_KEY = "no such access key"
    NO_PROFILE = "no such instance profile"
    NO_PROVIDER = "no such issuer"
    NO_ALIAS = "no such account alias"
    NOT_ATTACHABLE = "no such policy to attach"
    NOT_ATTACHED = "the policy is not attached"
    NO_USER_BOUNDARY = "the user has no boundary"
    NO_ROLE_BOUNDARY = "the role has no boundary"
    NOT_IN_PROFILE = "the role is not in the profile"
    USER_EXISTS = "the user exists"
    GROUP_EXISTS = "the group exists"
    ROLE_EXISTS = "the role exists"
    POLICY_EXISTS = "the policy exists"
    PROFILE_EXISTS = "the instance profile exists"
    PROVIDER_EXISTS = "the issuer exists"
    ALIAS_EXISTS = "the account alias is taken"
    HAS_ATTACHED = "it has attached policies"
    HAS_INLINE = "it has inline policies"
    HAS_KEYS = "the user has access keys"
    HAS_GROUPS = "the user is in groups"
    HAS_USERS = "the group has users"
    HAS_PROFILES = "the role is in instance profiles"
    HAS_ROLE = "the instance profile has a role"
    IS_ATTACHED = "the policy is attached"
    HAS_VERSIONS = "the policy has other versions"
    IS_DEFAULT = "the version is the default"
    TOO_MANY_USERS = "too many users"
    TOO_MANY_GROUPS = "too many groups"
    TOO_MANY_ROLES = "too many roles"
    TOO_MANY_POLICIES = "too many policies"
    TOO_MANY_KEYS = "too many access keys"
    TOO_MANY_PROFILES = "too many instance profiles"
    TOO_MANY_PROVIDERS = "too many issuers"
    TOO_MANY_CLIENTS = "too many clients of an issuer"
    TOO_MANY_MEMBERSHIPS = "the user is in too many groups"
    TOO_MANY_ATTACHED = "too many attached policies"
    TOO_MANY_VERSIONS = "too many versions"
    TOO_MANY_TAGS = "too many tags"
    PROFILE_FULL = "the instance profile has a role already"
    USER_INLINE_TOO_LARGE = "the inline policies of the user are too large together"
    GROUP_INLINE_TOO_LARGE = "the inline policies of the group are too large together"
    ROLE_INLINE_TOO_LARGE = "the inline policies of the role are too large together"


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
class User:
    """An IAM user; `created` in whole seconds."""

    account: str
    name: str
    id: str
    path: str
    created: float
    boundary: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The user's ARN, with its path."""
        return f"arn:aws:iam::{self.account}:user{self.path}{self.name}"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of users."""

    account: str
    name: str
    id: str
    path: str
    created: float

    @property
    def arn(self) -> str:
        """The group's ARN, with its path."""
        return f"arn:aws:iam::{self.account}:group{self.path}{self.name}"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A long-term key of a user or, without one, of the account's root; the secret is sealed."""

    access_key: str
    account: str
    user: str | None
    secret: bytes
    created: float
    is_active: bool = True
    used: float | None = None
    used_service: str | None = None
    used_region: str | None = None

    def __repr__(self) -> str:
        return f"<AccessKey {self.access_key}>"


@dataclass(frozen=True, slots=True)
class Profile:
    """An instance profile, which holds one role at most."""

    account: str
    name: str
    id: str
    path: str
    created: float
    role: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The profile's ARN, with its path."""
        return f"arn:aws:iam::{self.account}:instance-profile{self.path}{self.name}"


@dataclass(frozen=True, slots=True)
class Provider:
    """An issuer of web identities; `url` without its scheme, as in ARNs and condition keys."""

    account: str
    url: str
    clients: tuple[str, ...]
    thumbprints: tuple[str, ...]
    created: float
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """The issuer's ARN."""
        return f"arn:aws:iam::{self.account}:oidc-provider/{self.url}"


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a user or role may do by its policies: (name, text) each.

    The text is None for a policy of AWS, which is not kept in the store. `boundary` is one such
    pair, None if there is no boundary.
    """

    policies: tuple[tuple[str, str | None], ...]
    boundary: tuple[str, str | None] | None = None


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
    """How many users, groups and roles a policy is attached to, and how many it bounds."""

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
