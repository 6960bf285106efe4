"""Reserved concurrency: what may be set aside of an account's concurrent executions.

Source: the Lambda guide's page on reserved concurrency and the API reference of
PutFunctionConcurrency; the text is the service's own.
"""

from emberbox.model.configuration import invalid

UNRESERVED_MIN = 100
"""Concurrent executions that must stay for functions without a reservation."""


def check_reservation(limit: int, reserved_by_others: int, wanted: int) -> None:
    """CallerError unless a function may have `wanted` executions of `limit` for itself.

    To switch a function off, with 0, is always allowed.
    """
    if wanted and limit - reserved_by_others - wanted < UNRESERVED_MIN:
        raise invalid(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MIN}]."
        )
