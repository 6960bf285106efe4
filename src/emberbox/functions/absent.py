"""The error that says no more than that something is not there."""

from emberbox.errors import CallerError


def no_such_resource() -> CallerError:
    """For mappings, URLs, policies, and what has tags."""
    return CallerError(
        "ResourceNotFoundException", "The resource you requested does not exist.", status=404
    )
