"""How an Invoke call names what it wants, and what is wrong with it if it does not.

Source: API reference of Lambda, operation Invoke; the literals are the service's own.
"""

from emberbox.errors import CallerError
from emberbox.model.names import (
    BadNameError,
    FunctionReference,
    is_qualifier,
    parse_function_reference,
)

_SHOWN_MAX = 4_096
_NAME_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?"
    r"(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)
_QUALIFIER_PATTERN = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"


def reference_of(function: str, qualifier: str | None) -> FunctionReference:
    """The function that a request names; CallerError if it names none."""
    try:
        found = parse_function_reference(function)
    except BadNameError:
        raise violation(
            "functionName", function, f"regular expression pattern: {_NAME_PATTERN}"
        ) from None
    if qualifier and not is_qualifier(qualifier):
        raise violation("qualifier", qualifier, f"regular expression pattern: {_QUALIFIER_PATTERN}")
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


def violation(path: str, value: str, constraint: str) -> CallerError:
    """ValidationException of one member."""
    return CallerError(
        "ValidationException",
        f"1 validation error detected: Value '{value[:_SHOWN_MAX]}' at '{path}' failed to satisfy "
        f"constraint: Member must satisfy {constraint}",
        status=400,
    )
