"""Which layer a request means, and the errors if it is not to be had."""

from emberbox.errors import CallerError
from emberbox.model.configuration import invalid
from emberbox.model.layers import LayerReference, LayerVersion, layer_arn, parse_layer
from emberbox.model.request import Params, RequestContext
from emberbox.storage.layers import LayerKey, LayerStore


def layer_meant(context: RequestContext, text: str) -> LayerReference:
    """The layer that a name or an ARN means; CallerError if it is of another region."""
    layer = parse_layer(text, context.account, context.region)
    if layer is None:
        raise invalid(f"{text} is neither the name nor the ARN of a layer.")
    if layer.region != context.region:
        raise CallerError(
            "ResourceNotFoundException",
            f"Layers from '{layer.region}' are not reachable in this region ('{context.region}')",
            status=404,
        )
    return layer


def own_layer(context: RequestContext, params: Params) -> LayerKey:
    """The key of the caller's own layer in `LayerName`; CallerError for another account's."""
    layer = layer_meant(context, params["LayerName"])
    if layer.account != context.account:
        raise no_access(
            context, layer_arn(layer.account, layer.region, layer.name), context.operation
        )
    return LayerKey(layer.account, layer.region, layer.name)


async def usable(
    store: LayerStore, context: RequestContext, layer: LayerReference, number: int
) -> LayerVersion | None:
    """A layer version that the caller's account may use, or None if its own has none such.

    CallerError if another account has not granted it, or has none such: which, is not told.
    """
    version = await store.get(LayerKey(layer.account, layer.region, layer.name), number)
    if layer.account == context.account:
        return version
    if version is None or not version.may_be_used_by(context.account):
        arn = layer_arn(layer.account, layer.region, layer.name, number)
        raise no_access(context, arn, "GetLayerVersion")
    return version


def no_access(context: RequestContext, arn: str, operation: str) -> CallerError:
    """The error for a layer of an account that has not granted this."""
    action = f"lambda:{operation}"
    return CallerError(
        "AccessDeniedException",
        f"User: arn:aws:iam::{context.account}:root is not authorized to perform: {action} on "
        f"resource: {arn} because no resource-based policy allows the {action} action",
        status=403,
    )


def no_such_resource() -> CallerError:
    """The error for a layer version that is not there."""
    return CallerError(
        "ResourceNotFoundException", "The resource you requested does not exist.", status=404
    )
