"""Small settings of a function: recursion, runtime management, scaling of managed instances."""

from emberbox.functions.attaching import Attaching, qualifier_of
from emberbox.functions.finding import found
from emberbox.functions.references import Target, latest_of, target_of
from emberbox.model.configuration import invalid
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.runtimes.registry import runtime_version_arn
from emberbox.storage.catalog import FunctionCatalog


class FunctionSettings:
    """The operations."""

    def __init__(
        self,
        recursion: Attaching,
        runtimes: Attaching,
        scaling: Attaching,
        catalog: FunctionCatalog,
    ) -> None:
        self._recursion = recursion
        self._runtimes = runtimes
        self._scaling = scaling
        self._catalog = catalog

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "GetFunctionRecursionConfig": self.get_recursion,
            "GetFunctionScalingConfig": self.get_scaling,
            "GetRuntimeManagementConfig": self.get_runtime_management,
            "PutFunctionRecursionConfig": self.put_recursion,
            "PutFunctionScalingConfig": self.put_scaling,
            "PutRuntimeManagementConfig": self.put_runtime_management,
        }

    async def put_recursion(self, context: RequestContext, params: Params) -> Params:
        """Allow a function to invoke itself over and over, or not."""
        value = {"RecursiveLoop": params["RecursiveLoop"]}
        await self._recursion.change(latest_of(context, params), lambda _: value)
        return value

    async def get_recursion(self, context: RequestContext, params: Params) -> Params:
        """Whether it is allowed to; not, unless somebody said so."""
        target = latest_of(context, params)
        found(self._catalog, target)
        setting = self._recursion.get(target)
        return {"RecursiveLoop": "Terminate", **({} if setting is None else setting.value)}

    async def put_runtime_management(self, context: RequestContext, params: Params) -> Params:
        """Say when the runtime may change. Of each there is one version, whatever is said."""
        target = self._version(context, params)
        arn = params.get("RuntimeVersionArn")
        if (params["UpdateRuntimeOn"] == "Manual") is not (arn is not None):
            raise invalid(
                "RuntimeVersionArn must be given for UpdateRuntimeOn Manual, and for nothing else."
            )
        runtime = found(self._catalog, target).runtime
        if arn not in (None, runtime_version_arn(context.region, runtime)):
            raise invalid(f"Runtime version {arn} is not available for {runtime}.")
        value = {"UpdateRuntimeOn": params["UpdateRuntimeOn"]}
        if arn is not None:
            value["RuntimeVersionArn"] = arn
        await self._runtimes.change(target, lambda _: value)
        return self._shown(target, value)

    async def get_runtime_management(self, context: RequestContext, params: Params) -> Params:
        """When the runtime may change: Auto, unless somebody said otherwise."""
        target = self._version(context, params)
        setting = self._runtimes.get(target)
        return self._shown(
            target, {"UpdateRuntimeOn": "Auto", **({} if setting is None else setting.value)}
        )

    async def put_scaling(self, context: RequestContext, params: Params) -> Params:
        """Keep how many environments managed instances were to have; nothing given, nothing kept.

        It has no effect: there are no managed instances here.
        """
        target = self._version(context, params)
        version = found(self._catalog, target)
        if version.managed is None:
            raise invalid(
                f"Function {params['FunctionName']} has no capacity provider: only functions on "
                "managed instances have a scaling configuration."
            )
        given = dict(params.get("FunctionScalingConfig") or {})
        least, most = (given.get(f"{each}ExecutionEnvironments") for each in ("Min", "Max"))
        if least is not None and most is not None and least > most:
            raise invalid(
                f"MinExecutionEnvironments {least} is greater than MaxExecutionEnvironments {most}."
            )
        await self._scaling.change(target, lambda _: given or None)
        return {"FunctionState": version.state.value}

    async def get_scaling(self, context: RequestContext, params: Params) -> Params:
        """What was asked for. Nothing is applied, so the answer has nothing that would be."""
        target = self._version(context, params)
        setting = self._scaling.get(target)
        shown: Params = {"FunctionArn": target.arn}
        if setting is not None:
            shown["RequestedFunctionScalingConfig"] = dict(setting.value)
        return shown

    def _version(self, context: RequestContext, params: Params) -> Target:
        """The version that is meant, `$LATEST` if none is; CallerError if there is none."""
        target = target_of(context, params)
        if self._catalog.version(target.key, qualifier_of(target)) is None:
            raise target.missing()
        return target

    def _shown(self, target: Target, value: Params) -> Params:
        return {**value, "FunctionArn": target.of(qualifier_of(target)).arn}
