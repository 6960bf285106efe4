"""Functions on managed instances: what is asked of a capacity provider is kept, and has no effect.

Source: "Lambda Managed Instances" of the Lambda guide.
"""

from dataclasses import replace
from typing import Any, Final

from emberbox.functions.capacity import Capacity
from emberbox.model.configuration import invalid
from emberbox.model.function import FunctionVersion, Managed
from emberbox.model.request import Params, RequestContext
from emberbox.model.versions import Publication

NO_EFFECT: Final = (
    "The capacity provider has no effect: Emberbox has no managed instances, and runs this "
    "function as any other."
)
"""The reason of the state of such a function."""

_MEMBER: Final = "LambdaManagedInstancesCapacityProviderConfig"


async def check_managed(
    capacity: Capacity, context: RequestContext, params: Params, before: FunctionVersion | None
) -> None:
    """CallerError unless a function can have what a request asks of a capacity provider.

    `before` is the function, None for one that is to be made: only that one can get a provider.
    """
    config = params.get("CapacityProviderConfig")
    is_managed = before is not None and before.managed is not None
    if not config:
        if params.get("AcceleratorConfig") and not is_managed:
            raise invalid("AcceleratorConfig needs a CapacityProviderConfig.")
        return
    if before is not None and not is_managed:
        raise invalid(
            "CapacityProviderConfig can only be given when a function is created: "
            f"{before.name} has none."
        )
    await capacity.check_usable(context, config[_MEMBER]["CapacityProviderArn"])


def publication(params: Params, revision_id: str) -> Publication:
    """What a request that publishes wants of the version: the next number, or `PublishTo`."""
    renews = params.get("PublishTo") == "LATEST_PUBLISHED"
    return Publication(revision_id, params.get("Description"), renews)


def check_publish_to(function: FunctionVersion, params: Params) -> None:
    """CallerError unless a function can be published where a request says."""
    if not params.get("PublishTo"):
        return
    if function.managed is None:
        raise invalid(
            f"PublishTo needs a function with a capacity provider: {function.name} has none, and "
            "no version $LATEST.PUBLISHED."
        )
    if function.snap_start:
        raise invalid("$LATEST.PUBLISHED has no snapshots: switch SnapStart off to publish it.")


def with_managed(before: Managed | None, params: Params) -> Managed | None:
    """What a checked request makes of it."""
    config: Any = params.get("CapacityProviderConfig")
    after = before
    if config:
        given = config[_MEMBER]
        after = Managed(
            given["CapacityProviderArn"],
            given.get("PerExecutionEnvironmentMaxConcurrency"),
            given.get("ExecutionEnvironmentMemoryGiBPerVCpu"),
            None if before is None else before.accelerator_gb,
        )
    accelerator = params.get("AcceleratorConfig")
    if after is not None and accelerator:
        after = replace(after, accelerator_gb=accelerator["AcceleratorMemorySize"])
    return after


def shown_managed(managed: Managed | None) -> Params:
    """Members of `FunctionConfiguration`; None for what the function does not have."""
    if managed is None:
        return {}
    config = {
        "CapacityProviderArn": managed.provider_arn,
        "PerExecutionEnvironmentMaxConcurrency": managed.max_concurrency,
        "ExecutionEnvironmentMemoryGiBPerVCpu": managed.memory_gib_per_vcpu,
    }
    given = {member: value for member, value in config.items() if value is not None}
    accelerator = managed.accelerator_gb
    return {
        "CapacityProviderConfig": {_MEMBER: given},
        "AcceleratorConfig": accelerator and {"AcceleratorMemorySize": accelerator},
    }
