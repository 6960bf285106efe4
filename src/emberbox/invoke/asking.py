"""How an Invoke call names what it wants, and what is wrong with it if it does not.

Source: API reference of Lambda, operation Invoke; the literals are the service's own.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from emberbox.errors import CallerError
from emberbox.model.configuration import validation_error
from emberbox.model.names import (
    BadNameError,
    FunctionReference,
    parse_function_name,
)

_SHOWN_MAX = 4_096
_NAME_MAX = 256
_REFERENCES = 4_096
_NAME_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
_CHARACTERS = re.compile(r"[a-zA-Z0-9-_]+\Z")
_QUALIFIER_MAX = 128
_QUALIFIER_PATTERN = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
_QUALIFIER = re.compile(rf"(?:{_QUALIFIER_PATTERN})\Z")
_EXECUTION_MAX = 64


@lru_cache(_REFERENCES)
def reference_of(function: str, qualifier: str | None) -> FunctionReference:
    """The function that a request names; CallerError if it names none."""
    found = _parsed(function)
    violations = [*_of_name(function, found), *_of_qualifier(qualifier)]
    if found is None or violations:
        raise validation_error(violations)
    if qualifier and found.qualifier and qualifier != found.qualifier:
        raise CallerError(
            "InvalidParameterValueException",
            "The derived qualifier from the function name does not match the specified qualifier.",
            status=400,
        )
    return FunctionReference(found.name, qualifier or found.qualifier, found.account, found.region)


def wants_tail(log_type: str) -> bool:
    """Whether the end of the log is asked for; CallerError for an unknown type."""
    if log_type not in ("None", "Tail"):
        raise violation("logType", log_type, "enum value set: [None, Tail]")
    return log_type == "Tail"


def refuse_execution_name(name: str) -> CallerError:
    """The error for a name of a durable execution: no function here is durable."""
    violations = list(_of_execution(name))
    if violations:
        return validation_error(violations)
    return CallerError(
        "InvalidParameterValueException",
        "DurableExecutionName is only valid for a durable function, and Emberbox has none.",
        status=400,
    )


def violation(path: str, value: str, constraint: str) -> CallerError:
    """ValidationException of one member."""
    return validation_error([_broken(path, value, f"satisfy {constraint}")])


def _parsed(function: str) -> FunctionReference | None:
    try:
        return parse_function_name(function)
    except BadNameError:
        return None


def _of_name(function: str, found: FunctionReference | None) -> Iterator[str]:
    if len(function) > _NAME_MAX:
        yield _broken("functionName", function, f"have length less than or equal to {_NAME_MAX}")
    if found is None and not _CHARACTERS.match(function):
        yield _broken(
            "functionName", function, f"satisfy regular expression pattern: {_NAME_PATTERN}"
        )


def _of_qualifier(qualifier: str | None) -> Iterator[str]:
    if not qualifier:
        return
    if len(qualifier) > _QUALIFIER_MAX:
        yield _broken("qualifier", qualifier, f"have length less than or equal to {_QUALIFIER_MAX}")
    if not _QUALIFIER.match(qualifier):
        yield _broken(
            "qualifier", qualifier, f"satisfy regular expression pattern: {_QUALIFIER_PATTERN}"
        )


def _of_execution(name: str) -> Iterator[str]:
    if not name:
        yield _broken("durableExecutionName", name, "have length greater than or equal to 1")
    if len(name) > _EXECUTION_MAX:
        yield _broken(
            "durableExecutionName", name, f"have length less than or equal to {_EXECUTION_MAX}"
        )
    if not _CHARACTERS.match(name):
        yield _broken(
            "durableExecutionName", name, "satisfy regular expression pattern: [a-zA-Z0-9-_]+"
        )


def _broken(path: str, value: str, constraint: str) -> str:
    shown = f"Value '{value[:_SHOWN_MAX]}' at '{path}'"
    return f"{shown} failed to satisfy constraint: Member must {constraint}"
