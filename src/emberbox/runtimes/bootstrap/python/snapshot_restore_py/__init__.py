"""Hooks of SnapStart, for functions that do not pack the package of this name from PyPI.

`register_before_snapshot` and `register_after_restore` take a callable and its arguments, give the
callable back, and work as decorators. The runtime runs the former in reverse order and the latter
in order. Source: "Implement code before or after Lambda function snapshots" of AWS's guide.
"""

__all__ = ["register_after_restore", "register_before_snapshot"]

_BEFORE_SNAPSHOT = []
_AFTER_RESTORE = []


def register_before_snapshot(func, *args, **kwargs):
    """Call the function with these arguments before the snapshot is made."""
    _BEFORE_SNAPSHOT.append((func, args, kwargs))
    return func


def register_after_restore(func, *args, **kwargs):
    """Call the function with these arguments in each environment made from the snapshot."""
    _AFTER_RESTORE.append((func, args, kwargs))
    return func


def get_before_snapshot():
    """The registry itself, oldest first: (function, arguments, keyword arguments)."""
    return _BEFORE_SNAPSHOT


def get_after_restore():
    """The registry itself, oldest first: (function, arguments, keyword arguments)."""
    return _AFTER_RESTORE
