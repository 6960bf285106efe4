"""Records that tests of many parts need, with values that matter to none of them."""

from typing import Any

from emberbox.model.function import FunctionVersion, Logging


def function_version(name: str, **settings: Any) -> FunctionVersion:
    """A function's $LATEST, or what `settings` make of it."""
    plain: dict[str, Any] = {
        "account": "123456789012",
        "region": "us-east-1",
        "role": "arn:aws:iam::123456789012:role/r",
        "runtime": "python3.12",
        "handler": "app.handler",
        "package_id": "ab" * 32,
        "code_sha256": "q6urq6s=",
        "code_size": 100,
        "revision_id": "1",
        "last_modified": 1.0,
        "logging": Logging(f"/aws/lambda/{name}"),
    }
    return FunctionVersion(name=name, **{**plain, **settings})
