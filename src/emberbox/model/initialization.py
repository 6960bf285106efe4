"""How an environment comes to be initialised, and how long that may take.

Source: the pages on the life cycle of an execution environment, provisioned concurrency and
SnapStart of the Lambda guide.
"""

from enum import Enum

from emberbox.model.limits import INIT_AHEAD_TIMEOUT_S, INIT_TIMEOUT_S


class Initialization(Enum):
    """The value of AWS_LAMBDA_INITIALIZATION_TYPE."""

    ON_DEMAND = "on-demand"
    PROVISIONED = "provisioned-concurrency"
    SNAP_START = "snap-start"


def init_timeout_s(initialization: Initialization, timeout_s: float) -> float:
    """Seconds that INIT may take for a function with this timeout."""
    if initialization is Initialization.ON_DEMAND:
        return INIT_TIMEOUT_S
    return max(INIT_AHEAD_TIMEOUT_S, timeout_s)
