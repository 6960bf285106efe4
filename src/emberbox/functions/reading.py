"""GetFunction, GetFunctionConfiguration, ListFunctions."""

from emberbox.functions.downloads import CodeDownloads, resolved
from emberbox.functions.finding import found
from emberbox.functions.pages import bad_marker, key_in, marker_after, page_size
from emberbox.functions.references import target_of
from emberbox.functions.settling import Settling
from emberbox.functions.wire import configuration, listed
from emberbox.model.function import FunctionVersion
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.storage.catalog import FunctionCatalog
from emberbox.storage.functions import FunctionStore


class Reading:
    """What shows functions and changes nothing."""

    def __init__(
        self,
        store: FunctionStore,
        catalog: FunctionCatalog,
        settling: Settling,
        downloads: CodeDownloads,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._settling = settling
        self._downloads = downloads

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "GetFunction": self.get_function,
            "GetFunctionConfiguration": self.get_function_configuration,
            "ListFunctions": self.list_functions,
        }

    async def get_function(self, context: RequestContext, params: Params) -> Params:
        """Configuration, a link to the code; tags and reserved concurrency if there are any."""
        function, qualifier = await self._found(context, params)
        shown: Params = {
            "Configuration": configuration(function, qualifier),
            "Code": self._code(context, function),
        }
        reserved = self._catalog.reserved(function.key)
        if reserved is not None:
            shown["Concurrency"] = {"ReservedConcurrentExecutions": reserved}
        latest = self._catalog.lookup(*function.key)
        if latest is not None and latest.tags:
            shown["Tags"] = dict(latest.tags)
        return shown

    def _code(self, context: RequestContext, function: FunctionVersion) -> Params:
        if function.image is not None:
            return {"RepositoryType": "ECR", "ImageUri": function.image.uri}
        if function.source_directory:
            return {"RepositoryType": "S3", "Location": f"file://{function.source_directory}"}
        link = self._downloads.link(context.endpoint, function.key, function.package_id)
        code: Params = {"RepositoryType": "S3", "Location": link}
        if function.source_key_arn:
            code["SourceKMSKeyArn"] = function.source_key_arn
        if function.code_object is not None:
            code["ResolvedS3Object"] = resolved(function.code_object)
        return code

    async def get_function_configuration(self, context: RequestContext, params: Params) -> Params:
        """Configuration alone."""
        function, qualifier = await self._found(context, params)
        return configuration(function, qualifier)

    async def list_functions(self, context: RequestContext, params: Params) -> Params:
        """A page of functions by name, or of all their versions.

        `MasterRegion` asks for replicas of another region's functions, of which there are none.
        """
        if params.get("MasterRegion") not in (None, "ALL"):
            return {"Functions": []}
        limit = page_size(params.get("MaxItems"))
        marker = params.get("Marker")
        if params.get("FunctionVersion") == "ALL":
            return await self._all_versions(context, limit, marker)
        after = (key_in(marker, 1) or ("",))[0]
        functions = self._catalog.page(
            context.account, context.region, after=after, limit=limit + 1
        )
        page: Params = {"Functions": [listed(each) for each in functions[:limit]]}
        if len(functions) > limit:
            page["NextMarker"] = marker_after(functions[limit - 1].name)
        return page

    async def _all_versions(
        self, context: RequestContext, limit: int, marker: str | None
    ) -> Params:
        after, number = key_in(marker, 2) or ("", "0")
        if not number.isdecimal() or len(number) > 18:
            raise bad_marker()
        versions = await self._store.page_of_all(
            context.account,
            context.region,
            after=after,
            after_number=int(number),
            limit=limit + 1,
        )
        page: Params = {"Functions": [listed(each, each.version) for each in versions[:limit]]}
        if len(versions) > limit:
            last = versions[limit - 1]
            page["NextMarker"] = marker_after(last.name, str(last.number))
        return page

    async def _found(
        self, context: RequestContext, params: Params
    ) -> tuple[FunctionVersion, str | None]:
        """The version asked for, and the qualifier that it was asked for by."""
        target = target_of(context, params)
        await self._settling.finished(target.key)
        return found(self._catalog, target), target.qualifier
