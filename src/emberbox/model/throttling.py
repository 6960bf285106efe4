"""The refusal of invocations of which there are too many.

Source: API reference of Lambda, TooManyRequestsException.
"""

import math

from emberbox.errors import CallerError

THROTTLED = 429
"""Its status."""


def throttled(reason: str, wait_s: float = 1.0, why: str = "") -> CallerError:
    """The refusal; after `wait_s` another request may do better.

    `why` tells what AWS has no reason for.
    """
    return CallerError(
        "TooManyRequestsException",
        f"Rate Exceeded. {why}" if why else "Rate Exceeded.",
        status=THROTTLED,
        fields={"Reason": reason, "Type": "User"},
        headers={"Retry-After": str(max(1, math.ceil(wait_s)))},
    )
