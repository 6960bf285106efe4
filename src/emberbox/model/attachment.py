"""What hangs on a function, or on a version or an alias of it, without being part of its code.

It goes when that goes. Its form is the business of the operations that make it.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from emberbox.records import dataclass


class Kind(Enum):
    """The kinds of it."""

    POLICY = "policy"
    EVENT_INVOKE = "event-invoke-config"
    URL = "url"
    CODE_SIGNING = "code-signing"
    RUNTIME_MANAGEMENT = "runtime-management"
    RECURSION = "recursion"
    PROVISIONED = "provisioned-concurrency"
    SCALING = "scaling"


@dataclass(frozen=True, slots=True)
class Attachment:
    """One of them. `qualifier` is a version, an alias or `$LATEST`, `modified` in seconds."""

    kind: Kind
    qualifier: str
    value: Mapping[str, Any]
    modified: float
