"""How the Lambda API writes moments as text."""

from emberbox.clock import utc


def timestamp(epoch_s: float) -> str:
    """Milliseconds, and no colon in the zone: `2026-01-02T03:04:05.678+0000`."""
    return utc(epoch_s).isoformat(timespec="milliseconds").replace("+00:00", "+0000")
