"""Between the wire's members and `FunctionVersion`: the only place that spells both.

What a request may say is checked here too, as far as the members themselves decide it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from emberbox.clock import utc
from emberbox.model.configuration import check_environment, check_sizes, invalid
from emberbox.model.function import FunctionVersion, Logging
from emberbox.model.request import Params
from emberbox.runtimes.registry import RUNTIMES, runtime_version_arn

_SAME: Final[Callable[[Any], Any]] = lambda value: value  # noqa: E731
