"""Exports of log groups to buckets: their states, the names of their objects, and their lines.

Source: CloudWatch Logs user guide, "Exporting log data to Amazon S3".
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from emberbox.machine import Machine, Table
from emberbox.records import dataclass

PREFIX: Final = "exportedlogs"
"""Where objects go whose export says nothing."""

KEY_MAX_BYTES: Final = 1_024
TEST_TEXT: Final = b"Permission Check Successful"


class ExportState(StrEnum):
    """`ExportTaskStatusCode` of the model."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PENDING_CANCEL = "PENDING_CANCEL"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"

    @property
    def is_active(self) -> bool:
        """Whether there is more to do."""
        return bool(EXPORT_MOVES[self])


EXPORT_MOVES: Final[Table[ExportState]] = {
    ExportState.PENDING: frozenset({ExportState.RUNNING, ExportState.PENDING_CANCEL}),
    ExportState.RUNNING: frozenset(
        {
            ExportState.PENDING_CANCEL,
            ExportState.COMPLETED,
            ExportState.FAILED,
        }
    ),
    ExportState.PENDING_CANCEL: frozenset({ExportState.CANCELLED}),
    ExportState.COMPLETED: frozenset(),
    ExportState.CANCELLED: frozenset(),
    ExportState.FAILED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Export:
    """An export as it is stored; times in milliseconds, `to_ms` belongs to it."""

    id: str
    name: str | None
    group: str
    streams: str
    from_ms: int
    to_ms: int
    bucket: str
    prefix: str
    created_ms: int
    state: str = ExportState.PENDING
    message: str = ""
    completed_ms: int | None = None

    def can(self, to: ExportState) -> bool:
        """Whether it may go to this state."""
        return Machine(EXPORT_MOVES, ExportState(self.state)).can(to)

    @property
    def test_key(self) -> str:
        """The object that shows whether the bucket lets CloudWatch Logs in."""
        return f"{self.prefix}/aws-logs-write-test"

    def key(self, stream: str, number: int) -> str:
        """The object for a part of a stream; slashes would make folders of its name."""
        return f"{self.prefix}/{self.id}/{stream.replace('/', '-')}/{number:06}.gz"

    def shown(self) -> dict[str, Any]:
        """As `ExportTask` of the model."""
        times = {"creationTime": self.created_ms}
        if self.completed_ms is not None:
            times["completionTime"] = self.completed_ms
        found: dict[str, Any] = {
            "taskId": self.id,
            "logGroupName": self.group,
            "from": self.from_ms,
            "to": self.to_ms,
            "destination": self.bucket,
            "destinationPrefix": self.prefix,
            "status": {"code": self.state} | ({"message": self.message} if self.message else {}),
            "executionInfo": times,
        }
        if self.name is not None:
            found["taskName"] = self.name
        return found


def line(timestamp_ms: int, message: str) -> str:
    """An event as a line of an object: its time, a blank, and what it says."""
    seconds, rest = divmod(timestamp_ms, 1_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:03}Z {message.removesuffix(chr(10))}\n"
