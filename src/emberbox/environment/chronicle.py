"""What happens in an environment, told twice: as lines of its log and as events of telemetry.

Events cost something only while somebody hears them.
"""

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
from emberbox.model.telemetry import Subscription, instant


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
        log.listener = self._heard

    def _heard(self, source: str, text: bytes) -> None:
        if self._hub.is_heard:
            self._hub.emit(source, text)

    @property
    def _is_restored(self) -> bool:
        return self._beginning.image is not None

    def init_begins(self, phase: str, instance: str) -> None:
        """INIT_START, and what to know of how this host runs the function."""
        plan = self._plan
        function = plan.function
        line = report.restore_start if self._is_restored else report.init_start
        self._log.line(line(function.runtime, plan.runtime_version_arn))
        for notice in filter(None, (plan.notice, self._beginning.notice)):
            self._log.line(notice)
        self._hub.begin()
        self._hub.emit(
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
            self._log.line(report.restore_report(took_ms, *(failure or ())))
        elif failure is not None and phase == "init":
            self._log.line(report.init_report(took_ms, phase, *failure))
        if not self._hub.is_heard:
            return
        kind = self._beginning.initialization.value
        record: dict[str, object] = {"initializationType": kind, "phase": phase}
        record["status"] = failure[0] if failure is not None else "success"
        if failure is not None and failure[1]:
            record["errorType"] = failure[1]
        word = "restore" if self._is_restored else "init"
        self._hub.emit(f"platform.{word}RuntimeDone", record)
        metrics = {"durationMs": round(took_ms, 3)}
        self._hub.emit(f"platform.{word}Report", {**record, "metrics": metrics})

    def settled(self) -> None:
        """Nobody can subscribe any more."""
        self._hub.settle()

    def extension(self, extension: Extension) -> None:
        """The EXTENSION line."""
        events = sorted(extension.events)
        error = extension.error_type
        state = extension.state.value
        self._log.line(report.extension(extension.name, state, events, error))
        if self._hub.is_heard:
            record: dict[str, object] = {"name": extension.name, "state": state, "events": events}
            if error:
                record["errorType"] = error
            self._hub.emit("platform.extension", record)

    def subscribed(self, extension: Extension, subscription: Subscription) -> None:
        """The TELEMETRY line; the subscriber hears of itself."""
        types = sorted(subscription.types)
        word = "LOGS" if subscription.is_legacy else "TELEMETRY"
        self._log.line(report.subscription(word, extension.name, types))
        kind = "platform.logsSubscription" if subscription.is_legacy else _SUBSCRIBED
        self._hub.emit(kind, {"name": extension.name, "state": "Subscribed", "types": types})

    def start(self, current: CurrentInvocation) -> None:
        """START."""
        request_id, version = current.invocation.request_id, self._plan.function.version
        self._log.line(report.start(request_id, version))
        if self._hub.is_heard:
            record: dict[str, object] = {"requestId": request_id, "version": version}
            if current.invocation.tenant:
                record["tenantId"] = current.invocation.tenant
            self._hub.emit("platform.start", {**record, "tracing": _tracing(current)})

    def runtime_done(self, current: CurrentInvocation, status: str, result: Result) -> None:
        """The runtime's part of an invocation is over; a matter of telemetry alone."""
        if not self._hub.is_heard:
            return
        stream = current.stream
        produced_bytes = len(result.payload) if stream is None else stream.size_bytes
        now, wall = self._clock.monotonic(), self._clock.now()
        began, responded = current.began, current.response_began or now
        spans = [
            _span("responseLatency", wall - (now - began), responded - began),
            _span("responseDuration", wall - (now - responded), now - responded),
        ]
        record: dict[str, object] = {
            "requestId": current.invocation.request_id,
            "status": status,
            "metrics": {
                "durationMs": round((now - began) * 1000, 3),
                "producedBytes": produced_bytes,
            },
            "spans": spans,
            "tracing": _tracing(current),
        }
        if result.error_type:
            record["errorType"] = result.error_type
        self._hub.emit("platform.runtimeDone", record)

    def failed(self, failure: Failure) -> None:
        """The lines that tell why."""
        for text in failure.log_lines:
            self._log.line(text)
            if self._hub.is_heard:
                self._hub.emit("platform.fault", text)

    def report(self, current: CurrentInvocation, measured: Measurement, *, failed: bool) -> None:
        """END and REPORT."""
        self._log.line(report.end(measured.request_id))
        self._log.line(report.report(measured))
        if not self._hub.is_heard:
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
        if measured.error_type:
            record["errorType"] = measured.error_type
        self._hub.emit("platform.end", {"requestId": measured.request_id})
        self._hub.emit("platform.report", record)


_SUBSCRIBED = "platform.telemetrySubscription"


def _status(measured: Measurement, *, failed: bool) -> str:
    """Telemetry tells errors of the handler from failures of the runtime."""
    if measured.status is not None:
        return "timeout" if measured.status == "timeout" else "failure"
    return "error" if failed else "success"


def _tracing(current: CurrentInvocation) -> dict[str, str]:
    return {"type": "X-Amzn-Trace-Id", "value": current.invocation.trace}


def _span(name: str, start: float, seconds: float) -> dict[str, object]:
    return {"name": name, "start": instant(start), "durationMs": round(seconds * 1000, 3)}
