"""Finds the handler, parses events and serialises results.

Source: "Define Lambda function handler in Python" of AWS's guide; errors named as AWS does.
"""

import importlib
import json
import sys

from emberbox_bootstrap.failures import RuntimeFailureError
from emberbox_bootstrap.wire_json import to_json


def load(name):
    """Import the module and return the callable that `module.function` names."""
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as error:
        raise RuntimeFailureError(
            "Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (name, error)
        ) from None
    dotted = module_name.replace("/", ".")
    if dotted.split(".", 1)[0] in sys.builtin_module_names:
        raise RuntimeFailureError(
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module %s as a handler module" % module_name,
        )
    module = _import(module_name, dotted)
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise RuntimeFailureError(
            "Runtime.HandlerNotFound",
            "Handler '%s' missing on module '%s'" % (function_name, module_name),
        ) from None


def _import(module_name, dotted):
    try:
        return importlib.import_module(dotted)
    except ImportError as error:
        raise RuntimeFailureError(
            "Runtime.ImportModuleError",
            "Unable to import module '%s': %s" % (module_name, error),
        ) from None
    except SyntaxError as error:
        frame = '  File "%s" Line %s\n    %s' % (
            error.filename,
            error.lineno,
            error.text or "",
        )
        raise RuntimeFailureError(
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module '%s': %s" % (module_name, error),
            [frame],
        ) from None


def parse_event(body):
    """The event as Python values; ValueError if the body is not JSON."""
    return json.loads(body)


def serialise(result):
    """(content type, body) of what a handler returned."""
    if isinstance(result, bytes):
        return "application/unknown", result
    try:
        return "application/json", to_json(result)
    except (TypeError, ValueError, RecursionError) as error:
        raise RuntimeFailureError(
            "Runtime.MarshalError", "Unable to marshal response: %s" % (error,)
        ) from None
