"""What an invocation used, read from the end of its log: the REPORT line, or the record of it."""

import json
import re
from typing import Any

_REPORT = re.compile(r"^REPORT RequestId: .*$", re.MULTILINE)
_RECORD = re.compile(r'^\{.*"platform\.report".*\}$', re.MULTILINE)
_IN_LINE = {
    "durationMs": "Duration",
    "billedMs": "Billed Duration",
    "initMs": "Init Duration",
    "memoryMb": "Memory Size",
    "maxMemoryMb": "Max Memory Used",
}
_IN_RECORD = {
    "durationMs": "durationMs",
    "billedMs": "billedDurationMs",
    "initMs": "initDurationMs",
    "memoryMb": "memorySizeMB",
    "maxMemoryMb": "maxMemoryUsedMB",
}
_NUMBER = r"(?:^|\t){}: ([\d.]+)"


def figures(log: str) -> dict[str, float]:
    """Durations in milliseconds, memory in megabytes; empty if the log does not tell."""
    line = _REPORT.search(log)
    if line is not None:
        return _of_line(line[0])
    records = _RECORD.findall(log)
    return _of_record(records[-1]) if records else {}


def _of_line(line: str) -> dict[str, float]:
    found = {}
    for ours, theirs in _IN_LINE.items():
        number = re.search(_NUMBER.format(theirs), line)
        if number is not None:
            found[ours] = _number(number[1])
    return found


def _of_record(text: str) -> dict[str, float]:
    try:
        metrics: dict[str, Any] = json.loads(text)["record"]["metrics"]
        return {ours: metrics[name] for ours, name in _IN_RECORD.items() if name in metrics}
    except (ValueError, KeyError, TypeError):
        return {}


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)
