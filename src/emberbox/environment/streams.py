"""Names of log streams, one for each environment."""

import uuid

from emberbox.clock import utc
from emberbox.model.function import FunctionVersion


def stream_name(function: FunctionVersion, now: float) -> str:
    """A fresh name as AWS forms it; the function's is in it where its log group may have others."""
    prefix = f"{utc(now):%Y/%m/%d}/"
    if function.logging.group != f"/aws/lambda/{function.name}":
        prefix += function.name
    return f"{prefix}[{function.version}]{uuid.uuid4().hex}"
