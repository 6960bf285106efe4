"""The paths of users, groups, roles and instance profiles, which are part of their ARNs."""

import re
from typing import Final

from emberbox.storage.identities import IdentityStore
from emberbox.storage.identity_records import RefusedError

_NAMED: Final = re.compile(r"arn:aws:iam::(\d{12}):(user|group|role|instance-profile)/([^/*]+)")


class IdentityPaths:
    """Looks paths up."""

    def __init__(self, identities: IdentityStore) -> None:
        self._identities = identities

    async def full_arn(self, arn: str) -> str:
        """The ARN with its path; any other ARN, and that of nobody, as it is."""
        found = _NAMED.fullmatch(arn)
        if found is None:
            return arn
        account, kind, name = found.groups()
        store = self._identities
        try:
            match kind:
                case "user":
                    return (await store.users.user(account, name)).arn
                case "group":
                    return (await store.users.group(account, name)).arn
                case "role":
                    return (await store.role_named(account, name)).arn
                case _:
                    return (await store.profiles.profile(account, name)).arn
        except RefusedError:
            return arn
