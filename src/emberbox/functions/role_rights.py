"""What the execution role of a function must be allowed to do before the function is accepted."""

from collections.abc import Iterator

from emberbox.model.configuration import invalid
from emberbox.model.function import FileSystem
from emberbox.records import dataclass
from emberbox.sources.rights import Rights

_JOINING = ("CreateNetworkInterface", "DescribeNetworkInterfaces", "DeleteNetworkInterface")
_MOUNTING = ("ClientMount", "ClientWrite")
_SENDING = {"sqs": "SendMessage", "sns": "Publish"}


@dataclass(frozen=True, slots=True)
class Needs:
    """What a function has that its role must be allowed to use; by default nothing."""

    in_vpc: bool = False
    file_system: FileSystem | None = None
    dead_letters: str = ""

    def actions(self) -> Iterator[tuple[str, str, str, str]]:
        """Service, action, ARN of the resource, and the service's name in texts."""
        if self.in_vpc:
            for action in _JOINING:
                yield "ec2", action, "*", "EC2"
        if self.file_system is not None:
            for action in _MOUNTING:
                yield "elasticfilesystem", action, self.file_system.arn, "EFS"
        if self.dead_letters:
            service = self.dead_letters.split(":")[2]
            yield service, _SENDING[service], self.dead_letters, service.upper()


class RoleRights:
    """Asks the policies of execution roles; `rights` None lets any role do anything."""

    def __init__(self, rights: Rights | None = None) -> None:
        self._rights = rights

    async def check(self, role: str, needs: Needs) -> None:
        """CallerError unless a role may do what its function needs."""
        if self._rights is None:
            return
        for service, action, arn, shown in needs.actions():
            if not await self._rights(role, f"{service}:{action}", arn):
                raise invalid(
                    "The provided execution role does not have permissions to call "
                    f"{action} on {shown}"
                )
