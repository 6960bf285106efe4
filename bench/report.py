"""The tables of a run: figures beside budget, aim and raw limit."""

from collections.abc import Mapping

from bench.budgets import BUDGETS, OTHERS, RAW_TITLES


def shown(value: float) -> str:
    """Three significant digits, thousands with a blank."""
    if value >= 1000:
        return f"{round(value, -1):,.0f}".replace(",", " ")
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f}"


def table(figures: Mapping[str, float], raw: Mapping[str, float]) -> str:
    """All that was measured, as Markdown tables."""
    lines = [
        "| measured | value | budget | aim | kept | raw limit | times the raw limit |",
        "|---|---:|---:|---:|---|---:|---:|",
    ]
    for name, budget in BUDGETS.items():
        if name in figures:
            value = figures[name]
            least, ratio = "", ""
            if budget.raw in raw:
                least = f"{shown(raw[budget.raw])} {budget.unit}"
                ratio = f"{budget.ratio(value, raw[budget.raw]):.2f}"
            kept = "yes" if budget.is_met(value) else "**no**"
            lines.append(
                f"| {budget.title} | {shown(value)} {budget.unit} | {shown(budget.limit)} "
                f"| {shown(budget.aim)} | {kept} | {least} | {ratio} |"
            )
    for name, (title, unit, against) in OTHERS.items():
        if name in figures:
            least = f"{shown(raw[against])} {unit}" if against in raw else ""
            ratio = f"{_times(figures[name], raw[against], unit):.2f}" if against in raw else ""
            lines.append(f"| {title} | {shown(figures[name])} {unit} | | | | {least} | {ratio} |")
    return "\n".join([*lines, *_raw_table(raw)])


def _times(value: float, raw: float, unit: str) -> float:
    """How far from the raw limit: 1.0 is as good as it; of rates more is better."""
    return raw / value if unit == "/s" else value / raw


def _raw_table(raw: Mapping[str, float]) -> list[str]:
    lines = ["", "| raw limit of this machine | value |", "|---|---:|"]
    for name, (title, unit) in RAW_TITLES.items():
        if name in raw:
            lines.append(f"| {title} | {shown(raw[name])} {unit} |")
    return lines if raw else []
