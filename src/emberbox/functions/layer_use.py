"""The layers that a function is to have: whether it may, and what it keeps of them."""

from collections.abc import Sequence

from emberbox.errors import CallerError
from emberbox.functions.layer_naming import no_access, usable
from emberbox.model.configuration import invalid
from emberbox.model.function import Layer
from emberbox.model.layers import check_list, parse_layer
from emberbox.model.request import RequestContext
from emberbox.storage.layers import LayerStore
from emberbox.storage.packages import PackageStore


class LayerUse:
    """Turns the ARNs in a request into layers."""

    def __init__(self, store: LayerStore, packages: PackageStore) -> None:
        self._store = store
        self._packages = packages

    async def held(
        self, context: RequestContext, arns: Sequence[str] | None
    ) -> tuple[Layer, ...] | None:
        """What a function with these layer versions keeps of them; None if nothing was said.

        CallerError for a version that does not exist, is of another region, or is another
        account's and not granted. What the function will see at /opt is made.
        """
        if arns is None:
            return None
        check_list(arns)
        layers = tuple([await self._layer(context, arn) for arn in arns])
        await self._packages.ensure_opt(layers)
        return layers

    async def _layer(self, context: RequestContext, arn: str) -> Layer:
        layer = parse_layer(arn, context.account, context.region)
        if layer is None or layer.number is None:
            raise _missing(arn)
        if layer.region != context.region:
            if layer.account != context.account:
                raise no_access(context, arn, "GetLayerVersion")
            raise invalid(
                "Layers are not in the same region as the function. Layers are expected to be in "
                f"region {context.region}."
            )
        version = await usable(self._store, context, layer, layer.number)
        if version is None:
            raise _missing(arn)
        return version.held


def _missing(arn: str) -> CallerError:
    return invalid(f"Layer version {arn} does not exist.")
