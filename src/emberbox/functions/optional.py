"""Settings that most functions do not have, between the wire and `FunctionVersion`.

VpcConfig, FileSystemConfigs, DeadLetterConfig, KMSKeyArn, TenancyConfig, ImageConfig and Layers.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from emberbox.functions.file_systems import file_system
from emberbox.model.configuration import invalid
from emberbox.model.function import FunctionVersion, Image, Vpc
from emberbox.model.request import Params

_TARGET = re.compile(r"arn:aws[a-zA-Z-]*:(sqs|sns):[a-z0-9-]+:\d{12}:[a-zA-Z0-9-_]+(\.fifo)?\Z")


def _vpc(config: Mapping[str, Any]) -> Vpc | None:
    """None if there is nothing in it: that is how a function leaves its VPC."""
    subnets, groups = config.get("SubnetIds") or (), config.get("SecurityGroupIds") or ()
    if not subnets and not groups:
        return None
    return Vpc(tuple(subnets), tuple(groups), bool(config.get("Ipv6AllowedForDualStack")))


SETTINGS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "VpcConfig": ("vpc", _vpc),
    "FileSystemConfigs": ("file_system", file_system),
    "DeadLetterConfig": ("dead_letter_arn", lambda config: config.get("TargetArn") or ""),
    "KMSKeyArn": ("kms_key_arn", str),
    "TenancyConfig": ("tenant_isolation", lambda config: config["TenantIsolationMode"]),
}
"""Member -> field and how its value is read."""


def check_optional(params: Params) -> None:
    """CallerError unless a function can have what is asked for."""
    vpc = params.get("VpcConfig") or {}
    if bool(vpc.get("SubnetIds")) is not bool(vpc.get("SecurityGroupIds")):
        raise invalid("SubnetIds and SecurityIds must coexist or be both empty list.")
    target = (params.get("DeadLetterConfig") or {}).get("TargetArn")
    if not target:
        return
    found = _TARGET.match(target)
    if found is None:
        raise invalid(
            f"The dead letter target {target} is neither an Amazon SQS queue nor an Amazon SNS "
            "topic."
        )
    if found[2]:
        raise invalid(f"The dead letter target {target} is FIFO: a standard one is needed.")


def with_image(image: Image | None, params: Params) -> Image | None:
    """The image with what a request changes of it."""
    uri, config = params.get("ImageUri"), params.get("ImageConfig")
    if uri is None and (image is None or config is None):
        return image
    kept = image or Image("")
    if config is None:
        return Image(uri or kept.uri, kept.entry_point, kept.command, kept.working_directory)
    return Image(
        uri or kept.uri,
        tuple(config.get("EntryPoint") or ()),
        tuple(config.get("Command") or ()),
        config.get("WorkingDirectory") or None,
    )


def shown_optional(function: FunctionVersion) -> Params:
    """Members of `FunctionConfiguration`; None for what the function does not have."""
    return {
        "Layers": [{"Arn": each.arn, "CodeSize": each.code_size} for each in function.layers]
        or None,
        "VpcConfig": None if function.vpc is None else _shown_vpc(function.vpc),
        "DeadLetterConfig": (
            {"TargetArn": function.dead_letter_arn} if function.dead_letter_arn else None
        ),
        "FileSystemConfigs": (
            [{"Arn": function.file_system.arn, "LocalMountPath": function.file_system.path}]
            if function.file_system
            else None
        ),
        "KMSKeyArn": function.kms_key_arn or None,
        "TenancyConfig": (
            {"TenantIsolationMode": function.tenant_isolation}
            if function.tenant_isolation
            else None
        ),
        "ImageConfigResponse": None if function.image is None else _shown_image(function.image),
    }


def _shown_vpc(vpc: Vpc) -> Params:
    return {
        "SubnetIds": list(vpc.subnet_ids),
        "SecurityGroupIds": list(vpc.security_group_ids),
        "VpcId": vpc.vpc_id,
        "Ipv6AllowedForDualStack": vpc.ipv6_allowed,
    }


def _shown_image(image: Image) -> Params | None:
    config: Params = {
        "EntryPoint": list(image.entry_point),
        "Command": list(image.command),
        "WorkingDirectory": image.working_directory,
    }
    given = {member: value for member, value in config.items() if value}
    return {"ImageConfig": given} if given else None
