"""PublishVersion, ListVersionsByFunction."""

import uuid
from dataclasses import replace

from emberbox.errors import CallerError
from emberbox.functions.finding import found
from emberbox.functions.hot_reload import check_publishable
from emberbox.functions.managed import check_publish_to, publication
from emberbox.functions.pages import bad_marker, key_in, marker_after, page_size
from emberbox.functions.references import latest_of
from emberbox.functions.settling import Settling
from emberbox.functions.wire import configuration, listed
from emberbox.model.configuration import check_steady
from emberbox.model.function import FunctionVersion
from emberbox.model.limits import CODE_STORAGE_MAX_BYTES
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.versions import check_code
from emberbox.storage.catalog import FunctionCatalog
from emberbox.storage.functions import CodeStorageFullError, FunctionMissingError, FunctionStore


class Versioning:
    """Numbered versions, which stay as they are."""

    def __init__(self, store: FunctionStore, catalog: FunctionCatalog, settling: Settling) -> None:
        self._store = store
        self._catalog = catalog
        self._settling = settling

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "ListVersionsByFunction": self.list_versions_by_function,
            "PublishVersion": self.publish_version,
        }

    async def publish_version(self, context: RequestContext, params: Params) -> Params:
        """Make a version of `$LATEST`; the last one again if nothing has changed since.

        `$LATEST.PUBLISHED` is made anew each time.
        """
        target = latest_of(context, params)
        await self._settling.finished(target.key)
        next_revision = str(uuid.uuid4())

        def alter(latest: FunctionVersion) -> FunctionVersion:
            check_steady(latest, params.get("RevisionId"))
            check_code(latest, params.get("CodeSha256"))
            check_publishable(latest)
            check_publish_to(latest, params)
            return replace(latest, revision_id=next_revision)

        wanted = publication(params, str(uuid.uuid4()))
        try:
            version = await self._store.publish(target.key, alter, wanted, CODE_STORAGE_MAX_BYTES)
        except FunctionMissingError:
            raise target.missing() from None
        except CodeStorageFullError:
            raise code_storage_full() from None
        return configuration(version, version.version)

    async def list_versions_by_function(self, context: RequestContext, params: Params) -> Params:
        """A page of a function's versions, `$LATEST` first, then by number."""
        target = latest_of(context, params)
        await self._settling.finished(target.key)
        found(self._catalog, target)
        limit = page_size(params.get("MaxItems"))
        versions = await self._store.page_of_versions(
            target.key, after_number=_number_in(params.get("Marker")), limit=limit + 1
        )
        page: Params = {"Versions": [listed(each, each.version) for each in versions[:limit]]}
        if len(versions) > limit:
            page["NextMarker"] = marker_after(str(versions[limit - 1].number))
        return page


def code_storage_full() -> CallerError:
    """The error if the account's code in the region would be larger than allowed."""
    return CallerError("CodeStorageExceededException", "Code storage limit exceeded.", status=400)


def _number_in(marker: str | None) -> int:
    """The number a page begins after; -1 for the first page."""
    key = key_in(marker, 1)
    if key is None:
        return -1
    if not key[0].isdecimal() or len(key[0]) > 18:
        raise bad_marker()
    return int(key[0])
