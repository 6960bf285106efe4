"""Decisions about requests, on disk: denials always, everything if asked for.

A file of JSON lines that its owner alone may read, and the one before it; both are bounded. The
command `emberbox why-denied` reads them.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from emberbox.clock import Clock, utc
from emberbox.model.policy.evaluation import Decision
from emberbox.model.policy.wording import cited

FILE: Final = "decisions.jsonl"
_FILE_MAX_BYTES: Final = 8 * (1 << 20)
_TEXT_MAX: Final = 2_048


class DecisionFile:
    """Appends to the file in a directory. `everything` keeps what was allowed, too."""

    def __init__(self, directory: Path, clock: Clock, *, everything: bool) -> None:
        self._path = directory / FILE
        self._clock = clock
        self.keeps_everything = everything
        self._file: IO[bytes] | None = None
        self._size = 0

    def write(
        self,
        request_id: str,
        caller: str,
        action: str,
        resource: str,
        decision: Decision,
        message: str,
    ) -> None:
        """Keep one; `message` is what the client heard, empty for what was allowed."""
        if decision.is_allowed and not self.keeps_everything:
            return
        line = {
            "time": f"{utc(self._clock.now()):%Y-%m-%dT%H:%M:%S.%fZ}",
            "requestId": request_id,
            "caller": caller[:_TEXT_MAX],
            "action": action[:_TEXT_MAX],
            "resource": resource[:_TEXT_MAX],
            "decision": decision.verdict.value,
            "by": decision.layer.value,
            "statement": cited(decision),
            "message": message[: 2 * _TEXT_MAX],
        }
        data = json.dumps(line).encode() + b"\n"
        file = self._opened(len(data))
        file.write(data)
        self._size += len(data)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self, more: int) -> IO[bytes]:
        if self._file is not None and self._size + more > _FILE_MAX_BYTES:
            self.close()
            self._path.replace(self._path.with_suffix(".1.jsonl"))
        if self._file is None:
            self._path.touch(mode=0o600)
            self._file = self._path.open("ab", buffering=0)
            self._size = self._path.stat().st_size
        return self._file


def decisions_of(directory: Path, request_id: str) -> Iterator[Mapping[str, Any]]:
    """What was decided about a request, oldest first."""
    path = directory / FILE
    wanted = f'"requestId": {json.dumps(request_id)}'
    for file in (path.with_suffix(".1.jsonl"), path):
        if file.exists():
            with file.open(encoding="utf-8", errors="replace") as lines:
                yield from (json.loads(line) for line in lines if wanted in line)
