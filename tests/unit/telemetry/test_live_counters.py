"""Counters of what happens now."""

from emberbox.telemetry import live as module
from emberbox.telemetry.live import Live


def test_as_many_functions_are_counted_as_may_be(monkeypatch):
    """Those that were used least lately give way to others; who is used goes on counting."""
    monkeypatch.setattr(module, "_FUNCTIONS_MAX", 3)
    live = Live()
    for name in ("a", "b", "a", "c", "a", "d"):
        live.throttled("1", "r", name)

    found = {name.function: counters.throttles for name, counters in live.functions.items()}
    assert found == {"c": 1, "a": 3, "d": 1}
