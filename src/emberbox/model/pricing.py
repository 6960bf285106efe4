"""What invocations would cost on AWS: arithmetic over a price table that is data.

Source: AWS Lambda pricing, region us-east-1; the table is `prices.json` beside this module. A GB is
1,024 MB. Money is in the table's currency.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from emberbox.records import dataclass

_MB_PER_GB = 1_024
_HOURS_PER_MONTH = 730


class Amount(NamedTuple):
    """What was used: by whom it is used does not matter to the price.

    `provisioned_gb_seconds` were run on environments kept ahead of need, and are not in
    `gb_seconds`; `kept_gb_seconds` is the memory of those environments while they were kept.
    """

    requests: int
    gb_seconds: float
    ephemeral_gb_seconds: float = 0.0
    architecture: str = "x86_64"
    provisioned_gb_seconds: float = 0.0
    kept_gb_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Money for requests, for time, for /tmp beyond what is free, for provisioned concurrency."""

    requests: float
    duration: float
    ephemeral: float
    provisioned: float = 0.0

    @property
    def total(self) -> float:
        """All together."""
        return self.requests + self.duration + self.ephemeral + self.provisioned


@cache
def price_table() -> Mapping[str, Any]:
    """The prices."""
    text = files("emberbox.model").joinpath("prices.json").read_text("utf-8")
    table: Mapping[str, Any] = json.loads(text)
    return table


def gb_seconds(memory_mb: int, billed_ms: float) -> float:
    """Memory times time."""
    return memory_mb / _MB_PER_GB * billed_ms / 1000


def ephemeral_gb_seconds(ephemeral_mb: int, billed_ms: float) -> float:
    """Size of /tmp beyond what is free, times time."""
    free_mb: int = price_table()["ephemeral_free_mb"]
    beyond = max(0, ephemeral_mb - free_mb)
    return beyond / _MB_PER_GB * billed_ms / 1000


def invocation_cost(
    memory_mb: int, ephemeral_mb: int, billed_ms: float, architecture: str
) -> float:
    """One invocation at the price of the first tier."""
    amount = Amount(
        1,
        gb_seconds(memory_mb, billed_ms),
        ephemeral_gb_seconds(ephemeral_mb, billed_ms),
        architecture,
    )
    return cost_of([amount]).total


def cost_of(amounts: Iterable[Amount]) -> Cost:
    """The cost of one month's amounts, without what is free; tiers by architecture."""
    prices = price_table()
    requests = ephemeral = provisioned = 0.0
    used: dict[str, float] = {}
    for amount in amounts:
        requests += amount.requests * prices["request"]
        ephemeral += amount.ephemeral_gb_seconds * prices["ephemeral_gb_second"]
        arch = amount.architecture
        provisioned += (
            amount.provisioned_gb_seconds * prices["provisioned_duration_gb_second"][arch]
            + amount.kept_gb_seconds * prices["provisioned_gb_second"][arch]
        )
        used[arch] = used.get(arch, 0.0) + amount.gb_seconds
    duration = sum(_tiered(prices["gb_second"][arch], total) for arch, total in used.items())
    return Cost(requests, duration, ephemeral, provisioned)


def free_part(amounts: Iterable[Amount]) -> Cost:
    """What the monthly free tier takes off one month's cost."""
    prices, free = price_table(), price_table()["free"]
    listed = list(amounts)
    requests = min(sum(a.requests for a in listed), free["requests"]) * prices["request"]
    left, duration = float(free["gb_seconds"]), 0.0
    for amount in sorted(listed, key=lambda a: -_first_price(a.architecture)):
        taken = min(left, amount.gb_seconds)
        left -= taken
        duration += taken * _first_price(amount.architecture)
    return Cost(requests, duration, 0.0)


def month_of_machine(price_per_hour: float) -> float:
    """A machine that is always on, for a month of 730 hours."""
    return price_per_hour * _HOURS_PER_MONTH


def _first_price(architecture: str) -> float:
    price: float = price_table()["gb_second"][architecture][0][1]
    return price


def _tiered(tiers: list[tuple[float | None, float]], total: float) -> float:
    money, left = 0.0, total
    for size, price in tiers:
        taken = left if size is None else min(left, size)
        money += taken * price
        left -= taken
    return money
