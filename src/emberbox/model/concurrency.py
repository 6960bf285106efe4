"""Reserved concurrency: what may be set aside of an account's concurrent executions.

Source: the Lambda guide's page on reserved concurrency and the API reference of
PutFunctionConcurrency; the text is the service's own.
"""

from collections.abc import Iterable

from emberbox.model.configuration import invalid, untyped

UNRESERVED_MIN = 100
"""Concurrent executions that must stay for functions without a reservation."""


def check_reservation(limit: int, reserved_by_others: int, wanted: int) -> None:
    """CallerError unless a function may have `wanted` executions of `limit` for itself.

    To switch a function off, with 0, is always allowed.
    """
    if wanted and limit - reserved_by_others - wanted < UNRESERVED_MIN:
        raise untyped(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MIN}]."
        )


def check_covers(reserved: int, provisioned: Iterable[int]) -> None:
    """CallerError unless a function's reservation covers what is provisioned of it."""
    total = sum(provisioned)
    if reserved < total:
        raise invalid(
            "Specified ReservedConcurrentExecutions for function is lower than the sum of its "
            f"provisioned concurrency: [{total}]."
        )


def check_within(reserved: int | None, provisioned: int) -> None:
    """CallerError if more would be provisioned of a function than is set aside for it."""
    if reserved is not None and provisioned > reserved:
        raise invalid(
            "Requested Provisioned Concurrency should not be greater than the "
            "reservedConcurrentExecution for function"
        )
