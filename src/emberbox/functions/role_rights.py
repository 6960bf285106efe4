"""What the execution role of a function must be allowed to do before the function is accepted."""

from collections.abc import Iterator

from emberbox.model.configuration import invalid
from emberbox.model.function import FileSystem
from emberbox.sources.rights import Rights

_MOUNTING = ("ClientMount", "ClientWrite")
_SENDING = {"sqs": "SendMessage", "sns": "Publish"}


class RoleRights:
    """Asks the policies of execution roles; `rights` None lets any role do anything."""

    def __init__(self, rights: Rights | None = None) -> None:
        self._rights = rights

    async def check(self, role: str, system: FileSystem | None, dead_letters: str) -> None:
        """CallerError unless a role may use a file system and send to a dead letter target.

        `system` is None and `dead_letters` empty for a function that has none.
        """
        if self._rights is None:
            return
        for service, action, arn, shown in _needs(system, dead_letters):
            if not await self._rights(role, f"{service}:{action}", arn):
                raise invalid(
                    "The provided execution role does not have permissions to call "
                    f"{action} on {shown}"
                )


def _needs(system: FileSystem | None, dead_letters: str) -> Iterator[tuple[str, str, str, str]]:
    """Service, action, ARN of the resource, and the service's name in texts."""
    if system is not None:
        for action in _MOUNTING:
            yield "elasticfilesystem", action, system.arn, "EFS"
    if dead_letters:
        service = dead_letters.split(":")[2]
        yield service, _SENDING[service], dead_letters, service.upper()
