"""Function names, qualifiers and ARNs: parse and print.

Source: API reference of Lambda ("Name formats") and the patterns of botocore's lambda model.
"""

import re

from emberbox.records import dataclass

LATEST = "$LATEST"
PUBLISHED = "$LATEST.PUBLISHED"
"""The version of a function on managed instances that is made anew each time it is published."""

_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z]{2,4}(?:-[a-z]+)+-\d):(?P<account>\d{12}):function:"
    r"(?P<name>[a-zA-Z0-9-_]{1,256})"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]{1,128}))?\Z"
)
_NAMED = re.compile(
    r"(?:arn:(?:aws[a-zA-Z-]*)?:lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?:function:)?"
    r"(?P<name>[a-zA-Z0-9-_]{1,256})"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]{1,128}))?\Z"
)


class BadNameError(ValueError):
    """The text is none of the forms a function may be named by."""


@dataclass(frozen=True, slots=True)
class FunctionReference:
    """A function as a caller named it: bare name, name with qualifier, partial or full ARN.

    `account`, `region` and `qualifier` are None where the text did not say.
    """

    name: str
    qualifier: str | None = None
    account: str | None = None
    region: str | None = None


def parse_function_arn(text: str) -> FunctionReference:
    """Parse a whole ARN; BadNameError for anything else.

    The name may be longer than that of any function: then there is none.
    """
    found = _ARN.match(text)
    if found is None:
        raise BadNameError(text)
    return _reference(found)


def parse_function_name(text: str) -> FunctionReference:
    """Parse what a request gives as `FunctionName`; BadNameError for what its pattern refuses.

    That lets an ARN's parts before the name be left out one by one: `function:f` is `f`, and twelve
    digits before a colon are an account.
    """
    found = _NAMED.match(text)
    if found is None:
        raise BadNameError(text)
    return _reference(found)


def _reference(found: re.Match[str]) -> FunctionReference:
    return FunctionReference(
        name=found["name"],
        qualifier=found["qualifier"],
        account=found["account"],
        region=found["region"],
    )


def function_arn(account: str, region: str, name: str, qualifier: str | None = None) -> str:
    """The ARN of a function, qualified if a qualifier is given."""
    arn = f"arn:aws:lambda:{region}:{account}:function:{name}"
    return f"{arn}:{qualifier}" if qualifier else arn


def arn_part(text: str, number: int) -> str:
    """One of the six parts of an ARN, from 0: `arn`, partition, service, region, account, rest.

    Empty if the text has fewer: texts that are too long to be matched by a model's pattern come
    here unchecked.
    """
    parts = text.split(":", 5)
    return parts[number] if number < len(parts) else ""


def role_name(role_arn: str) -> str:
    """The role's name at the end of its ARN, path left out."""
    return role_arn.rsplit("/", 1)[-1]


def log_group_name(function_name: str) -> str:
    """The log group a function writes to unless configured otherwise."""
    return f"/aws/lambda/{function_name}"
