"""What happens now: counters of this server since its start, for watchers and for Prometheus."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from math import ceil
from typing import Any, NamedTuple

from emberbox.model.pricing import gb_seconds
from emberbox.model.usage import Usage
from emberbox.records import dataclass

_RECENT = 512
_FUNCTIONS_MAX = 20_000


class Name(NamedTuple):
    """A function's name."""

    account: str
    region: str
    function: str


@dataclass(slots=True)
class Counters:
    """What one function has done since the start; `recent` are its last durations in ms."""

    runs: int = 0
    errors: int = 0
    cold: int = 0
    throttles: int = 0
    billed_ms: int = 0
    duration_ms: float = 0.0
    gb_seconds: float = 0.0
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))


class Live:
    """Counters by function, of the `_FUNCTIONS_MAX` that ran last: names come and go for years."""

    def __init__(self) -> None:
        self.functions: dict[Name, Counters] = {}

    def ran(self, usages: Sequence[Usage]) -> None:
        """Invocations of one subject have ended."""
        subject = usages[0].subject
        counters = self._of(Name(subject.account, subject.region, subject.name))
        billed_ms = sum(usage.billed_ms for usage in usages)
        counters.runs += len(usages)
        counters.errors += sum(1 for usage in usages if usage.error)
        counters.cold += sum(1 for usage in usages if usage.init_ms is not None)
        counters.billed_ms += billed_ms
        counters.duration_ms += sum(usage.duration_ms for usage in usages)
        counters.gb_seconds += gb_seconds(subject.memory_mb, billed_ms)
        counters.recent.extend(usage.duration_ms for usage in usages)

    def throttled(self, account: str, region: str, function: str) -> None:
        """A request was refused for want of concurrency."""
        self._of(Name(account, region, function)).throttles += 1

    def of(self, account: str | None) -> dict[Name, Counters]:
        """The functions of an account, or all."""
        return {n: c for n, c in self.functions.items() if account in (None, n.account)}

    def _of(self, name: Name) -> Counters:
        # The one that is used goes behind the others, so that the first was used least lately.
        counters = self.functions.pop(name, None)
        if counters is None:
            counters = Counters()
            if len(self.functions) >= _FUNCTIONS_MAX:
                del self.functions[next(iter(self.functions))]
        self.functions[name] = counters
        return counters


def shown(name: Name, counters: Counters, states: dict[str, int]) -> dict[str, Any]:
    """One function's counters as JSON; `states` counts its environments."""
    ordered = sorted(counters.recent)
    return {
        **name._asdict(),
        "runs": counters.runs,
        "errors": counters.errors,
        "cold": counters.cold,
        "throttles": counters.throttles,
        "billedMs": counters.billed_ms,
        "durationMs": round(counters.duration_ms, 3),
        "gbSeconds": round(counters.gb_seconds, 6),
        "p50Ms": _quantile(ordered, 0.5),
        "p99Ms": _quantile(ordered, 0.99),
        "environments": states,
    }


def prometheus(functions: Mapping[Name, Counters], states: Iterable[tuple[Name, str, int]]) -> str:
    """The text that Prometheus reads (exposition format 0.0.4)."""
    lines = []
    for metric, kind, words, pick in _METRICS:
        lines.append(f"# HELP emberbox_{metric} {words}")
        lines.append(f"# TYPE emberbox_{metric} {kind}")
        for name, counters in functions.items():
            lines.append(f"emberbox_{metric}{{{_labels(name)}}} {pick(counters)}")
    lines.append("# HELP emberbox_environments Execution environments by state.")
    lines.append("# TYPE emberbox_environments gauge")
    for name, state, count in states:
        lines.append(f'emberbox_environments{{{_labels(name)},state="{state}"}} {count}')
    return "\n".join(lines) + "\n"


_METRICS: tuple[tuple[str, str, str, Callable[[Counters], float]], ...] = (
    ("invocations_total", "counter", "Invocations that ran.", lambda c: c.runs),
    ("errors_total", "counter", "Invocations whose function failed.", lambda c: c.errors),
    ("cold_starts_total", "counter", "Invocations that began with INIT.", lambda c: c.cold),
    ("throttles_total", "counter", "Requests refused for concurrency.", lambda c: c.throttles),
    ("duration_ms_total", "counter", "Time in handlers, ms.", lambda c: round(c.duration_ms, 3)),
    ("billed_ms_total", "counter", "Billed time, ms.", lambda c: c.billed_ms),
    ("gb_seconds_total", "counter", "Memory times time.", lambda c: round(c.gb_seconds, 6)),
)


def _labels(name: Name) -> str:
    return ",".join(f'{label}="{value}"' for label, value in name._asdict().items())


def _quantile(ordered: list[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[max(0, ceil(share * len(ordered)) - 1)], 3)
