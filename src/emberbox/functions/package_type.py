"""Zip or Image: what a function of the one kind cannot be given of the other.

The texts are the service's own as far as they are known.
"""

import re

from emberbox.errors import CallerError
from emberbox.model.configuration import invalid
from emberbox.model.function import FunctionVersion
from emberbox.model.request import Params

_URI = re.compile(
    r"\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[a-z0-9._/-]{2,256}"
    r"(:[a-zA-Z0-9._-]{1,128})?(@sha256:[0-9a-f]{64})?\Z"
)
_OF_PACKAGES = ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion")


def check_package_type(params: Params) -> bool:
    """Whether a function to be created is from an image; CallerError if the request is mixed."""
    uri = params["Code"].get("ImageUri")
    if params.get("PackageType") != "Image":
        if uri:
            raise invalid(
                "Please do not provide ImageUri when creating a function with packageType Zip."
            )
        if params.get("Runtime") is None or params.get("Handler") is None:
            raise invalid(
                "Runtime and Handler are mandatory parameters for functions created with "
                "deployment packages."
            )
        return False
    _check_alone(params["Code"])
    if params.get("Runtime") or params.get("Handler") or params.get("Layers"):
        raise _no_image_has()
    if not uri:
        raise invalid("Please provide ImageUri when creating a function with packageType Image.")
    if not _URI.match(uri):
        raise invalid(f"Source image {uri} is not valid. Provide a valid source image.")
    return True


def check_kind(function: FunctionVersion, params: Params) -> None:
    """CallerError if a setting of the one kind is meant for a function of the other."""
    if function.image is None:
        if any((params.get("ImageConfig") or {}).values()):
            raise invalid(
                "Please don't provide ImageConfig when creating or updating a function with "
                "packageType Zip."
            )
    elif params.get("Runtime") or params.get("Handler") or params.get("Layers"):
        raise _no_image_has()
    elif function.snap_start:
        raise invalid("SnapStart is not supported for functions with packageType Image.")


def check_kind_of_code(function: FunctionVersion, params: Params) -> None:
    """CallerError if code of one kind is meant for a function of the other."""
    if function.image is None and params.get("ImageUri"):
        raise invalid(
            "Please don't provide ImageUri when updating a function with packageType Zip."
        )
    if function.image is None:
        return
    if not params.get("ImageUri"):
        raise invalid("Please provide ImageUri when updating a function with packageType Image.")
    _check_alone(params)


def _check_alone(code: Params) -> None:
    if code.get("ImageUri") and any(code.get(member) for member in _OF_PACKAGES):
        raise invalid(
            "Please do not provide other FunctionCode parameters when providing an ImageUri."
        )


def _no_image_has() -> CallerError:
    return invalid(
        "Please don't provide Handler or Runtime or Layer when the intended function PackageType "
        "is Image."
    )
