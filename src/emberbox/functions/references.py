"""Which function a request means: names and ARNs in all their forms, with or without qualifier."""

from dataclasses import replace

from emberbox.errors import CallerError
from emberbox.model.configuration import invalid, validation_error
from emberbox.model.names import (
    LATEST,
    BadNameError,
    FunctionReference,
    function_arn,
    parse_function_arn,
    parse_function_name,
)
from emberbox.model.request import Params, RequestContext
from emberbox.records import dataclass
from emberbox.storage.catalog import FunctionKey

_NAME_MAX = 64
_SHOWN_MAX = 4_096
_PATTERN = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
)


@dataclass(frozen=True, slots=True)
class Target:
    """A function in the caller's account and region, and the qualifier that was asked for."""

    key: FunctionKey
    qualifier: str | None

    @property
    def arn(self) -> str:
        """The ARN as it was asked for."""
        return function_arn(*self.key, self.qualifier)

    @property
    def is_latest(self) -> bool:
        """Whether `$LATEST` is meant: by its name, or because nothing else is."""
        return self.qualifier in (None, LATEST)

    def of(self, qualifier: str | None) -> "Target":
        """The same function, with another qualifier."""
        return replace(self, qualifier=qualifier)

    def missing(self) -> CallerError:
        """The error if there is no such function, or no such version or alias of it."""
        return CallerError(
            "ResourceNotFoundException", f"Function not found: {self.arn}", status=404
        )

    def missing_qualifier(self) -> CallerError:
        """The same in the words of operations that tell an alias from a version by its name."""
        if self.qualifier is None or self.qualifier.isdecimal() or "$" in self.qualifier:
            return self.missing()
        return CallerError(
            "ResourceNotFoundException", f"Cannot find alias arn: {self.arn}", status=404
        )


def target_of(context: RequestContext, params: Params) -> Target:
    """What `FunctionName` and, if given, `Qualifier` mean; CallerError if nothing.

    Whether there is such a function is not looked at.
    """
    found = _parsed(params["FunctionName"])
    qualifier = params.get("Qualifier")
    if qualifier and found.qualifier and qualifier != found.qualifier:
        raise invalid(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return _within(context, found, qualifier or found.qualifier)


def latest_of(context: RequestContext, params: Params) -> Target:
    """The same where the operation works on `$LATEST` alone; 404 for another qualifier."""
    target = target_of(context, params)
    if not target.is_latest:
        raise target.missing()
    return target


def new_key(context: RequestContext, name: str) -> FunctionKey:
    """The key for a function to be created."""
    found = _parsed(name)
    if len(found.name) > _NAME_MAX:
        # The one constraint that the service checks later, with an error of another name.
        bound = f"Member must have length less than or equal to {_NAME_MAX}"
        raise invalid(_broken(name, bound).message)
    target = _within(context, found, found.qualifier)
    if target.qualifier is not None:
        raise invalid("A function is created without a qualifier: leave it out of FunctionName.")
    return target.key


def tagged(context: RequestContext, params: Params) -> Target:
    """The function that `Resource` means; only functions can have tags here."""
    try:
        found = parse_function_arn(params["Resource"])
    except BadNameError:
        raise CallerError(
            "ResourceNotFoundException", "The resource you requested does not exist.", status=404
        ) from None
    if found.qualifier is not None:
        raise invalid(
            "Tags on function aliases and versions are not supported. Please specify a function "
            "ARN."
        )
    return _within(context, found, None)


def _parsed(text: str) -> FunctionReference:
    try:
        return parse_function_name(text)
    except BadNameError:
        constraint = f"Member must satisfy regular expression pattern: {_PATTERN}"
        raise _broken(text, constraint) from None


def _broken(text: str, constraint: str) -> CallerError:
    shown = f"Value '{text[:_SHOWN_MAX]}' at 'functionName'"
    return validation_error([f"{shown} failed to satisfy constraint: {constraint}"])


def _within(context: RequestContext, found: FunctionReference, qualifier: str | None) -> Target:
    """The target, unless the ARN is of another region or account."""
    if found.region not in (None, context.region):
        raise CallerError(
            "ResourceNotFoundException",
            f"Functions from '{found.region}' are not reachable in this region "
            f"('{context.region}')",
            status=404,
        )
    if found.account not in (None, context.account):
        arn = function_arn(str(found.account), context.region, found.name, qualifier)
        action = f"lambda:{context.operation}"
        raise CallerError(
            "AccessDeniedException",
            f"User: arn:aws:iam::{context.account}:root is not authorized to perform: {action} on "
            f"resource: {arn} because no resource-based policy allows the {action} action",
            status=403,
        )
    return Target(FunctionKey(context.account, context.region, found.name), qualifier)
