"""GetFunction, GetFunctionConfiguration, ListFunctions, ListVersionsByFunction."""

import base64

from emberbox.errors import CallerError
from emberbox.functions.downloads import CodeDownloads
from emberbox.functions.references import latest_of
from emberbox.functions.settling import Settling
from emberbox.functions.wire import configuration, listed
from emberbox.model.configuration import invalid
from emberbox.model.function import FunctionVersion
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.storage.functions import FunctionStore

_PAGE = 50
_MARK = "after:"


class Reading:
    """What shows functions and changes nothing."""

    def __init__(self, store: FunctionStore, settling: Settling, downloads: CodeDownloads) -> None:
        self._store = store
        self._settling = settling
        self._downloads = downloads

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "GetFunction": self.get_function,
            "GetFunctionConfiguration": self.get_function_configuration,
            "ListFunctions": self.list_functions,
            "ListVersionsByFunction": self.list_versions_by_function,
        }

    async def get_function(self, context: RequestContext, params: Params) -> Params:
        """Configuration, a link to the code, and the tags if there are any."""
        function, qualified = await self._found(context, params)
        shown = {
            "Configuration": configuration(function, qualified=qualified),
            "Code": {
                "RepositoryType": "S3",
                "Location": self._downloads.link(context.endpoint, function),
            },
        }
        if function.tags:
            shown["Tags"] = dict(function.tags)
        return shown

    async def get_function_configuration(self, context: RequestContext, params: Params) -> Params:
        """Configuration alone."""
        function, qualified = await self._found(context, params)
        return configuration(function, qualified=qualified)

    async def list_functions(self, context: RequestContext, params: Params) -> Params:
        """A page of functions by name.

        `MasterRegion` asks for replicas of another region's functions, of which there are none.
        """
        if params.get("MasterRegion") not in (None, "ALL"):
            return {"Functions": []}
        limit = min(params.get("MaxItems") or _PAGE, _PAGE)
        after = _name_in(params.get("Marker"))
        found = await self._store.page(
            context.account, context.region, after=after, limit=limit + 1
        )
        qualified = params.get("FunctionVersion") == "ALL"
        page: Params = {"Functions": [listed(each, qualified=qualified) for each in found[:limit]]}
        if len(found) > limit:
            page["NextMarker"] = _marker(found[limit - 1].name)
        return page

    async def list_versions_by_function(self, context: RequestContext, params: Params) -> Params:
        """`$LATEST`, the only version there is."""
        function, _ = await self._found(context, params)
        if params.get("Marker"):
            raise _bad_marker()
        return {"Versions": [listed(function, qualified=True)]}

    async def _found(self, context: RequestContext, params: Params) -> tuple[FunctionVersion, bool]:
        """The function asked for, and whether it was asked for by its version."""
        target = latest_of(context, params)
        await self._settling.finished(target.key)
        function = await self._store.get(target.key)
        if function is None:
            raise target.missing()
        return function, target.qualifier is not None


def _marker(name: str) -> str:
    return base64.urlsafe_b64encode(f"{_MARK}{name}".encode()).decode()


def _name_in(marker: str | None) -> str:
    """The name a page begins after; "" for the first page."""
    if not marker:
        return ""
    try:
        mark, _, name = base64.urlsafe_b64decode(marker).decode().partition(_MARK)
    except ValueError:
        raise _bad_marker() from None
    if mark or not name:
        raise _bad_marker()
    return name


def _bad_marker() -> CallerError:
    return invalid("The Marker is none that this operation has given.")
