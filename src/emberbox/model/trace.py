"""The X-Amzn-Trace-Id of an invocation.

Source: X-Ray's guide, "Tracing header".
"""

import re
from typing import Final

_TRACE: Final = re.compile(r"[\x21-\x7e]{1,512}\Z")


def trace_of(given: str | None, now: float, random: str, *, sampled: bool) -> str:
    """The caller's trace header if it is one, else a new root, sampled or not.

    `random` are 40 hexadecimal digits.
    """
    if given and _TRACE.match(given) and "Root=" in given:
        return given
    return f"Root=1-{int(now):08x}-{random[:24]};Parent={random[24:]};Sampled={sampled:d}"
