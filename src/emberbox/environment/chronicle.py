"""What happens in an environment, told twice: as lines of its log and as events of telemetry.

In a log of JSON format the lines are the events. Else those cost something only while somebody
hears them.
"""

import orjson

from emberbox.clock import Clock
from emberbox.environment.beginning import Beginning
from emberbox.environment.console_log import ConsoleLog
from emberbox.environment.current import CurrentInvocation, Result
from emberbox.environment.extensions import Extension
from emberbox.environment.plan import Plan
from emberbox.environment.telemetry_hub import TelemetryHub
from emberbox.model import report
from emberbox.model.invocation import Failure
from emberbox.model.report import Measurement
from emberbox.model.system_log import is_written
from emberbox.model.telemetry import Subscription, event, instant
from emberbox.model.trace import is_recorded


class Chronicle:
    """See the module. `phase` is that of an INIT: `init`, or `invoke` within an invocation."""

    def __init__(
        self,
        plan: Plan,
        beginning: Beginning,
        log: ConsoleLog,
        hub: TelemetryHub,
        clock: Clock,
    ) -> None:
        self._plan = plan
        self._beginning = beginning
        self._log = log
        self._hub = hub
        self._clock = clock
        self._is_json = plan.function.logging.format == "JSON"
        self._least = plan.function.logging.system_level or "INFO"
        log.listener = self._heard

    def _heard(self, source: str, text: bytes) -> None:
        if self._hub.is_heard:
            self._hub.emit(source, _object(text) if self._is_json else text)

    def _line(self, text: str) -> None:
        """A line of a log in text format."""
        if not self._is_json:
            self._log.line(text)

    @property
    def is_told(self) -> bool:
        """Whether events go anywhere."""
        return self._is_json or self._hub.is_heard

    def _tell(self, kind: str, record: object) -> None:
        """An event, to who hears of it and into a log of JSON format."""
        if self._hub.is_heard:
            self._hub.emit(kind, record)
        if self._is_json and is_written(kind, record, self._least):
            self._log.line(event(kind, self._clock.now(), record).decode())

    @property
    def _is_restored(self) -> bool:
        return self._beginning.image is not None

    def init_begins(self, phase: str, instance: str) -> None:
        """INIT_START, and what to know of how this host runs the function."""
        plan = self._plan
        function = plan.function
        line = report.restore_start if self._is_restored else report.init_start
        self._line(line(function.runtime, plan.runtime_version_arn))
        for notice in filter(None, (plan.notice, self._beginning.notice)):
            self._log.line(notice)
        self._hub.begin()
        self._tell(
            "platform.restoreStart" if self._is_restored else "platform.initStart",
            {
                "initializationType": self._beginning.initialization.value,
                "phase": phase,
                "runtimeVersion": report.runtime_version(function.runtime),
                "runtimeVersionArn": plan.runtime_version_arn,
                "functionName": function.name,
                "functionVersion": function.version,
                "instanceId": instance,
                "instanceMaxMemory": function.memory_mb,
            },
        )

    def init_ends(self, phase: str, took_ms: float, failure: tuple[str, str | None] | None) -> None:
        """INIT_REPORT if it failed before any invocation, with status and error type."""
        self._log.drain()
        if self._is_restored:
            self._line(report.restore_report(took_ms, *(failure or ())))
        elif failure is not None and phase == "init":
            self._line(report.init_report(took_ms, phase, *failure))
        if not self.is_told:
            return
        kind = self._beginning.initialization.value
        record: dict[str, object] = {"initializationType": kind, "phase": phase}
        record["status"] = failure[0] if failure is not None else "success"
        if failure is not None and failure[1]:
            record["errorType"] = failure[1]
        word = "restore" if self._is_restored else "init"
        self._tell(f"platform.{word}RuntimeDone", record)
        metrics = {"durationMs": round(took_ms, 3)}
        self._tell(f"platform.{word}Report", {**record, "metrics": metrics})

    def settled(self) -> None:
        """Nobody can subscribe any more."""
        self._hub.settle()

    def extension(self, extension: Extension) -> None:
        """The EXTENSION line."""
        events = sorted(extension.events)
        error = extension.error_type
        state = extension.state.value
        self._line(report.extension(extension.name, state, events, error))
        if self.is_told:
            record: dict[str, object] = {"name": extension.name, "state": state, "events": events}
            if error:
                record["errorType"] = error
            self._tell("platform.extension", record)

    def subscribed(self, extension: Extension, subscription: Subscription) -> None:
        """The TELEMETRY line; the subscriber hears of itself."""
        types = sorted(subscription.types)
        word = "LOGS" if subscription.is_legacy else "TELEMETRY"
        self._line(report.subscription(word, extension.name, types))
        kind = "platform.logsSubscription" if subscription.is_legacy else _SUBSCRIBED
        self._tell(kind, {"name": extension.name, "state": "Subscribed", "types": types})

    def start(self, current: CurrentInvocation) -> None:
        """START."""
        request_id, version = current.invocation.request_id, self._plan.function.version
        self._line(report.start(request_id, version))
        if self.is_told:
            record: dict[str, object] = {"requestId": request_id, "version": version}
            if current.invocation.tenant:
                record["tenantId"] = current.invocation.tenant
            self._tell("platform.start", {**record, "tracing": _tracing(current)})

    def runtime_done(self, current: CurrentInvocation, status: str, result: Result) -> None:
        """The runtime's part of an invocation is over; a matter of telemetry alone."""
        if not self.is_told:
            return
        stream = current.stream
        produced_bytes = len(result.payload) if stream is None else stream.size_bytes
        record: dict[str, object] = {
            "requestId": current.invocation.request_id,
            "status": status,
            "metrics": {
                "durationMs": round((current.done - current.began) * 1000, 3),
                "producedBytes": produced_bytes if current.response_began else 0,
            },
            "spans": self._spans(current),
            "tracing": _tracing(current),
        }
        if result.error_type:
            record["errorType"] = result.error_type
        self._tell("platform.runtimeDone", record)

    def _spans(self, current: CurrentInvocation) -> list[object]:
        """The parts of a runtime's time, as far as it has come."""
        if not current.response_began:
            return []
        marks = [current.began, current.response_began, current.answered, current.done]
        reached = [mark for mark in marks if mark]
        return [self._span(*span) for span in zip(_SPANS, reached, reached[1:], strict=False)]

    def _span(self, name: str, since: float, until: float) -> dict[str, object]:
        start = self._clock.now() - (self._clock.monotonic() - since)
        duration_ms = round((until - since) * 1000, 3)
        return {"name": name, "start": instant(start), "durationMs": duration_ms}

    def failed(self, failure: Failure) -> None:
        """The lines that tell why."""
        for text in failure.log_lines:
            self._line(text)
            if self.is_told:
                self._tell("platform.fault", text)

    def report(self, current: CurrentInvocation, measured: Measurement, *, failed: bool) -> None:
        """END and REPORT."""
        if not self._is_json:
            line = report.report(measured)
            if is_recorded(current.invocation.trace):
                line += report.traced(current.invocation.trace)
            self._log.lines(report.end(measured.request_id), line)
        if not self.is_told:
            return
        metrics: dict[str, object] = {
            "durationMs": round(measured.duration_ms, 3),
            "billedDurationMs": measured.billed_ms,
            "memorySizeMB": measured.memory_mb,
            "maxMemoryUsedMB": measured.memory_peak_mb,
        }
        if measured.init_ms is not None:
            metrics["initDurationMs"] = round(measured.init_ms, 3)
        if measured.restored is not None:
            metrics["restoreDurationMs"] = round(measured.restored.total_ms, 3)
        record: dict[str, object] = {
            "requestId": measured.request_id,
            "status": _status(measured, failed=failed),
            "metrics": metrics,
            "tracing": _tracing(current),
        }
        if measured.extensions_ms is not None:
            until = current.done + measured.extensions_ms / 1000
            record["spans"] = [self._span("extensionOverhead", current.done, until)]
        if measured.error_type:
            record["errorType"] = measured.error_type
        self._tell("platform.end", {"requestId": measured.request_id})
        self._tell("platform.report", record)


_SUBSCRIBED = "platform.telemetrySubscription"
_SPANS = ("responseLatency", "responseDuration", "runtimeOverhead")


def _object(text: bytes) -> object:
    """A line that is a JSON object as that, any other as it is."""
    if not text.startswith(b"{"):
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _status(measured: Measurement, *, failed: bool) -> str:
    return measured.status or ("error" if failed else "success")


def _tracing(current: CurrentInvocation) -> dict[str, str]:
    return {"type": "X-Amzn-Trace-Id", "value": current.invocation.trace}
