"""Who makes a request, and whom the Principal element of a policy names.

Source: IAM user guide, "AWS JSON policy elements: Principal" and "NotPrincipal".
"""

from collections.abc import Iterable, Mapping
from enum import Enum, IntEnum
from typing import Any

from emberbox.records import dataclass


class Kind(Enum):
    """What a caller is."""

    ROOT = "Account"
    USER = "User"
    ROLE = "AssumedRole"
    FEDERATED = "FederatedUser"
    SERVICE = "AWSService"
    ANONYMOUS = "Anonymous"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller.

    `arn` is how AWS shows it: the session's for a role, whose own ARN is `entity_arn`. `id` is the
    unique id as in `aws:userid`. `service` names a service of AWS, `provider` the issuer of a token
    that somebody has shown who is nobody here yet.
    """

    kind: Kind
    account: str = ""
    arn: str = ""
    entity_arn: str = ""
    id: str = ""
    service: str = ""
    provider: str = ""


ANONYMOUS = Principal(Kind.ANONYMOUS, arn="anonymous", id="anonymous")


def root(account: str) -> Principal:
    """The root user of an account."""
    arn = f"arn:aws:iam::{account}:root"
    return Principal(Kind.ROOT, account, arn, arn, account)


def service(name: str) -> Principal:
    """A service of AWS, which here is Emberbox at work for a customer: `s3.amazonaws.com`."""
    return Principal(Kind.SERVICE, arn=name, id=name, service=name)


_OUTSIDE = frozenset({Kind.SERVICE, Kind.FEDERATED})


class Naming(IntEnum):
    """How closely a policy names a caller; what it allows reaches further the closer it does."""

    ACCOUNT = 1
    """Its account: the account's own policies have the last word."""
    ROLE = 2
    """Its role: boundary and session policies still hold."""
    DIRECT = 3
    """The user, the session, the service, or everybody."""


class Principals:
    """A Principal or NotPrincipal element."""

    __slots__ = ("_aws", "_everybody", "_federated", "_is_plain_star", "_services", "is_negated")

    def __init__(self, element: str | Mapping[str, Any], *, is_negated: bool) -> None:
        named = {"AWS": element} if isinstance(element, str) else element
        self.is_negated = is_negated
        self._aws = frozenset(_texts(named.get("AWS")))
        self._services = frozenset(_texts(named.get("Service")))
        self._federated = frozenset(_texts(named.get("Federated")))
        self._everybody = "*" in self._aws
        self._is_plain_star = element == "*"

    def naming(self, caller: Principal) -> Naming | None:
        """How the element names a caller, None if it does not."""
        # To allow everybody of AWS is not to allow its services, nor who is known elsewhere only.
        if self._is_plain_star or (self._everybody and caller.kind not in _OUTSIDE):
            return Naming.DIRECT
        if caller.kind is Kind.ANONYMOUS:
            return None
        if caller.kind is Kind.SERVICE:
            is_named = caller.service in self._services or "*" in self._services
            return Naming.DIRECT if is_named else None
        if caller.kind is Kind.FEDERATED:
            return Naming.DIRECT if caller.provider in self._federated else None
        return self._naming_of_identity(caller)

    def _naming_of_identity(self, caller: Principal) -> Naming | None:
        if caller.kind is not Kind.ROOT:
            if not self._aws.isdisjoint({caller.arn, caller.id}):
                return Naming.DIRECT
            if not self._aws.isdisjoint({caller.entity_arn, caller.id.partition(":")[0]}):
                return Naming.ROLE if caller.kind is Kind.ROLE else Naming.DIRECT
        return Naming.ACCOUNT if self._names_account(caller) else None

    def applies(self, caller: Principal, *, is_bounded: bool, allows: bool) -> bool:
        """Whether a statement with this element is about the caller; a denial of all is about all.

        A NotPrincipal spares only who is named with all its names, and nobody with a permissions
        boundary.
        """
        if not self.is_negated:
            return self.naming(caller) is not None or (self._everybody and not allows)
        if caller.kind in {Kind.SERVICE, Kind.FEDERATED, Kind.ANONYMOUS} or self._everybody:
            return self.naming(caller) is None
        names = {caller.arn, caller.entity_arn}
        return is_bounded or not (names <= self._aws and self._names_account(caller))

    def _names_account(self, caller: Principal) -> bool:
        if not caller.account:
            return False
        return not self._aws.isdisjoint({caller.account, f"arn:aws:iam::{caller.account}:root"})


def _texts(value: Any) -> Iterable[str]:
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, str)]
