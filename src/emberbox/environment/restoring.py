"""Failures of RESTORE as the caller of Invoke sees them.

Source: the Lambda guide's pages on SnapStart; botocore's model for the errors.
"""

from emberbox.errors import CallerError

RESTORED_AT_ONCE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"


def restore_failure(status: str) -> CallerError:
    """What the caller of Invoke hears; `status` is that of the RESTORE_REPORT line."""
    if status == "timeout":
        return CallerError(
            "SnapStartTimeoutException",
            "Lambda couldn't restore the snapshot within the timeout limit.",
            status=408,
            fields={"Type": "User"},
        )
    return CallerError(
        "SnapStartException",
        "The afterRestore() runtime hook encountered an error. For more information, check the "
        "Amazon CloudWatch logs.",
        status=400,
        fields={"Type": "User"},
    )
