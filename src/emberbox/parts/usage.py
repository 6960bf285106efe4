"""What invocations use: what collects it, and the pages that show it."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

import orjson

from emberbox.clock import utc
from emberbox.gateway.guard import Guard
from emberbox.gateway.pages import Page, PlainResponse, RequestInfo
from emberbox.gateway.signed_page import Telling, signed_page
from emberbox.invoke.frontdoor import Refused
from emberbox.model.pricing import (
    Amount,
    Cost,
    cost_of,
    ephemeral_gb_seconds,
    free_part,
    gb_seconds,
    price_table,
)
from emberbox.model.usage import Totals, advise
from emberbox.parts.ground import Ground
from emberbox.records import dataclass
from emberbox.storage.database import Database
from emberbox.storage.usage import DayTotals, TooMuchError, UsageStore
from emberbox.telemetry.lambda_metrics import Called, LambdaMetrics
from emberbox.telemetry.live import Counters, Live, Name, prometheus, shown
from emberbox.telemetry.usage import UsageSink
from emberbox.telemetry.usage_journal import UsageJournal

log = logging.getLogger("emberbox.usage")

_FIELDS_MAX = 8
_JSON = [("content-type", "application/json")]

States = Callable[[], Iterable[tuple[Name, str]]]
"""The function and the state of each environment there is."""


@dataclass(frozen=True, slots=True)
class UsageParts:
    """What others need of it; `pages` by their paths."""

    store: UsageStore
    sink: UsageSink
    live: Live
    pages: dict[str, Telling]

    def guarded(self, guard: Guard | None) -> dict[str, Page]:
        """The pages for who may see them."""
        return {path: signed_page(tell, guard) for path, tell in self.pages.items()}


async def open_usage(ground: Ground, metrics: LambdaMetrics, states: States) -> UsageParts:
    """Open it; it closes when the stack unwinds."""
    database = await Database.open(ground.data / "usage.db", "usage", durable=False)
    stack, clock = ground.stack, ground.clock
    stack.push_async_callback(database.close)
    store, live = UsageStore(database), Live()
    sink = UsageSink(store, metrics, live, clock, UsageJournal(ground.data / "usage"))
    recovered = await sink.recover()
    if recovered:
        log.info("%d invocations of a server that was killed came to the bill", recovered)
    sink.open()
    stack.push_async_callback(sink.close)

    async def usage_page(request: RequestInfo, account: str | None) -> PlainResponse:
        asked = parse_qs(request.query, max_num_fields=_FIELDS_MAX)
        since = asked.get("since", [f"{utc(clock.now()):%Y-%m-01}"])[-1]
        await sink.flush()
        try:
            rows = await store.totals(since, account or asked.get("account", [None])[-1])
        except TooMuchError as error:
            said = f"{error}: ask from a later day on, or for one account"
            return PlainResponse(413, _JSON, orjson.dumps({"message": said}))
        # Not in the event loop, which has invocations to serve: it may be a year of thousands.
        return PlainResponse(200, _JSON, await asyncio.to_thread(lambda: orjson.dumps(bill(rows))))

    async def now_page(_request: RequestInfo, account: str | None) -> PlainResponse:
        sink.fold()
        counted = _by_function(states())
        names = {**dict.fromkeys(counted), **dict.fromkeys(live.functions)}
        rows = [
            shown(name, live.functions.get(name, Counters()), dict(counted.get(name, {})))
            for name in names
            if account in (None, name.account)
        ]
        return PlainResponse(200, _JSON, orjson.dumps({"at": clock.now(), "functions": rows}))

    async def metrics_page(_request: RequestInfo, account: str | None) -> PlainResponse:
        sink.fold()
        flat = [
            (name, state, count)
            for name, by_state in _by_function(states()).items()
            for state, count in by_state.items()
            if account in (None, name.account)
        ]
        headers = [("content-type", "text/plain; version=0.0.4; charset=utf-8")]
        return PlainResponse(200, headers, prometheus(live.of(account), flat).encode())

    pages: dict[str, Telling] = {
        "/_emberbox/usage": usage_page,
        "/_emberbox/now": now_page,
        "/metrics": metrics_page,
    }
    return UsageParts(store, sink, live, pages)


def throttle_counter(live: Live, metrics: LambdaMetrics) -> Refused:
    """What the front door tells of each request that it refuses for want of concurrency."""

    def throttled(key: tuple[str, str, str], qualifier: str | None) -> None:
        live.throttled(*key)
        metrics.add("Throttles", Called(*key, qualifier or ""))

    return throttled


def recursion_counter(metrics: LambdaMetrics) -> Refused:
    """What the front door tells of each invocation that it refuses as one of a loop."""

    def recursive(key: tuple[str, str, str], qualifier: str | None) -> None:
        metrics.add("RecursiveInvocationsDropped", Called(*key, qualifier or ""))

    return recursive


def bill(rows: Iterable[DayTotals]) -> dict[str, Any]:
    """Sums by day with their cost, by month with what is free, and advice on memory sizes."""
    listed = list(rows)
    months: dict[str, list[Amount]] = {}
    newest: dict[tuple[str, ...], DayTotals] = {}
    sums: dict[tuple[str, ...], Totals] = {}
    for row in listed:
        months.setdefault(row.day[:7], []).append(_amount(row))
        key = (*row.subject[:4], str(row.subject.memory_mb))
        newest[row.subject[:4]] = row
        sums.setdefault(key, Totals()).merge(row.totals)
    return {
        "prices": {"version": price_table()["version"], "currency": price_table()["currency"]},
        "days": [_day(row) for row in listed],
        "months": [
            {"month": month, "cost": _money(cost_of(amounts)), "free": _money(free_part(amounts))}
            for month, amounts in sorted(months.items())
        ],
        "advice": list(_advice(newest, sums)),
    }


def _advice(
    newest: dict[tuple[str, ...], DayTotals], sums: dict[tuple[str, ...], Totals]
) -> Iterable[dict[str, Any]]:
    for key, row in newest.items():
        memory_mb = row.subject.memory_mb
        advice = advise(memory_mb, sums[(*key, str(memory_mb))])
        if advice is not None:
            yield {
                "function": row.subject.name,
                "version": row.subject.version,
                "memoryMb": memory_mb,
                "betterMb": advice.memory_mb,
                "why": advice.why,
            }


def _amount(row: DayTotals) -> Amount:
    subject, totals = row.subject, row.totals
    memory_mb = subject.memory_mb
    return Amount(
        totals.runs,
        gb_seconds(memory_mb, totals.billed_ms - totals.provisioned_ms),
        ephemeral_gb_seconds(subject.ephemeral_mb, totals.billed_ms),
        subject.architecture,
        gb_seconds(memory_mb, totals.provisioned_ms),
        gb_seconds(memory_mb, totals.kept_ms),
    )


def _day(row: DayTotals) -> dict[str, Any]:
    subject, totals, amount = row.subject, row.totals, _amount(row)
    return {
        "day": row.day,
        "account": subject.account,
        "region": subject.region,
        "function": subject.name,
        "version": subject.version,
        "memoryMb": subject.memory_mb,
        "architecture": subject.architecture,
        "runs": totals.runs,
        "errors": totals.errors,
        "cold": totals.cold,
        "billedMs": totals.billed_ms,
        "durationMs": round(totals.duration_ms, 3),
        "initMs": round(totals.init_ms, 3),
        "peakMb": totals.peak_mb,
        "cpuMs": round(totals.cpu_ms, 3),
        "gbSeconds": amount.gb_seconds + amount.provisioned_gb_seconds,
        "provisionedGbSeconds": amount.provisioned_gb_seconds,
        "keptGbSeconds": amount.kept_gb_seconds,
        "cost": cost_of([amount]).total,
    }


def _money(cost: Cost) -> dict[str, float]:
    return {
        "requests": cost.requests,
        "duration": cost.duration,
        "ephemeral": cost.ephemeral,
        "provisioned": cost.provisioned,
        "total": cost.total,
    }


def _by_function(states: Iterable[tuple[Name, str]]) -> dict[Name, Counter[str]]:
    counted: dict[Name, Counter[str]] = {}
    for name, state in states:
        counted.setdefault(name, Counter())[state] += 1
    return counted
