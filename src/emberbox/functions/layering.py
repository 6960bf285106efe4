"""PublishLayerVersion, GetLayerVersion, GetLayerVersionByArn, DeleteLayerVersion and the lists."""

from collections.abc import Callable

from emberbox.clock import Clock
from emberbox.functions.code import CodeSource
from emberbox.functions.downloads import CodeDownloads, resolved
from emberbox.functions.layer_naming import layer_meant, no_such_resource, own_layer, usable
from emberbox.functions.pages import bad_marker, key_in, marker_after, page_size
from emberbox.functions.stamps import timestamp
from emberbox.functions.versioning import code_storage_full
from emberbox.model.configuration import invalid
from emberbox.model.layers import LayerReference, LayerVersion
from emberbox.model.limits import CODE_STORAGE_MAX_BYTES
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.storage.functions import CodeStorageFullError
from emberbox.storage.layers import LayerStore
from emberbox.storage.packages import PackageStore


class Layering:
    """Layer versions, which stay as they are and are numbered from 1."""

    def __init__(
        self,
        store: LayerStore,
        packages: PackageStore,
        code: CodeSource,
        downloads: CodeDownloads,
        clock: Clock,
    ) -> None:
        self._store = store
        self._packages = packages
        self._code = code
        self._downloads = downloads
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "DeleteLayerVersion": self.delete_layer_version,
            "GetLayerVersion": self.get_layer_version,
            "GetLayerVersionByArn": self.get_layer_version_by_arn,
            "ListLayerVersions": self.list_layer_versions,
            "ListLayers": self.list_layers,
            "PublishLayerVersion": self.publish_layer_version,
        }

    async def publish_layer_version(self, context: RequestContext, params: Params) -> Params:
        """Store a new version under the next number of the layer."""
        key = own_layer(context, params)
        zipped, code_object = await self._code.read(context, params["Content"])
        package = await self._packages.put(zipped)
        wanted = LayerVersion(
            *key,
            number=0,
            package_id=package.package_id,
            code_sha256=package.code_sha256,
            code_size=package.code_size,
            unzipped_size=package.unzipped_size,
            created=self._clock.now(),
            description=params.get("Description") or "",
            runtimes=_listed(params.get("CompatibleRuntimes")),
            architectures=_listed(params.get("CompatibleArchitectures")),
            license_info=params.get("LicenseInfo"),
            code_object=code_object,
        )
        try:
            made = await self._store.publish(wanted, CODE_STORAGE_MAX_BYTES)
        except CodeStorageFullError:
            raise code_storage_full() from None
        return self._whole(context, made)

    async def get_layer_version(self, context: RequestContext, params: Params) -> Params:
        """One version with a link to its content."""
        number = checked_number(params["VersionNumber"])
        return await self._found(context, layer_meant(context, params["LayerName"]), number)

    async def get_layer_version_by_arn(self, context: RequestContext, params: Params) -> Params:
        """The same by the version's ARN."""
        layer = layer_meant(context, params["Arn"])
        if layer.number is None:
            raise no_such_resource()
        return await self._found(context, layer, layer.number)

    async def delete_layer_version(self, context: RequestContext, params: Params) -> Reply:
        """Remove a version; functions that hold it keep it, and its number is not given again."""
        number = checked_number(params["VersionNumber"])
        await self._store.delete(own_layer(context, params), number)
        return Reply(status=204)

    async def list_layer_versions(self, context: RequestContext, params: Params) -> Params:
        """A page of a layer's versions, the newest first, perhaps only those that fit."""
        key = own_layer(context, params)
        limit = page_size(params.get("MaxItems"))
        versions = await self._store.versions(
            key, below=_below(params.get("Marker")), limit=limit + 1, fits=_fitting(params)
        )
        page: Params = {"LayerVersions": [_shown(each) for each in versions[:limit]]}
        if len(versions) > limit:
            page["NextMarker"] = marker_after(str(versions[limit - 1].number))
        return page

    async def list_layers(self, context: RequestContext, params: Params) -> Params:
        """A page of layers by name, each with the newest version, perhaps of those that fit."""
        limit = page_size(params.get("MaxItems"))
        layers = await self._store.layers(
            context.account,
            context.region,
            after=(key_in(params.get("Marker"), 1) or ("",))[0],
            limit=limit + 1,
            fits=_fitting(params),
        )
        page: Params = {
            "Layers": [
                {
                    "LayerName": each.name,
                    "LayerArn": each.layer_arn,
                    "LatestMatchingVersion": _shown(each),
                }
                for each in layers[:limit]
            ]
        }
        if len(layers) > limit:
            page["NextMarker"] = marker_after(layers[limit - 1].name)
        return page

    async def _found(self, context: RequestContext, layer: LayerReference, number: int) -> Params:
        version = await usable(self._store, context, layer, number)
        if version is None:
            raise no_such_resource()
        return self._whole(context, version)

    def _whole(self, context: RequestContext, version: LayerVersion) -> Params:
        owner = (version.account, version.region, version.name)
        content: Params = {
            "Location": self._downloads.link(context.endpoint, owner, version.package_id),
            "CodeSha256": version.code_sha256,
            "CodeSize": version.code_size,
        }
        if version.code_object is not None:
            content["ResolvedS3Object"] = resolved(version.code_object)
        return {
            "Content": content,
            "LayerArn": version.layer_arn,
            **_shown(version),
        }


def checked_number(number: int) -> int:
    """The number, if it may be one of a layer version."""
    if number < 1:
        raise invalid("Layer Version Cannot be less than 1")
    return number


def _shown(version: LayerVersion) -> Params:
    """`LayerVersionsListItem`; what was not given is absent."""
    shown: Params = {
        "LayerVersionArn": version.arn,
        "Version": version.number,
        "Description": version.description,
        "CreatedDate": timestamp(version.created),
        "CompatibleRuntimes": None if version.runtimes is None else list(version.runtimes),
        "CompatibleArchitectures": (
            None if version.architectures is None else list(version.architectures)
        ),
        "LicenseInfo": version.license_info,
    }
    return {member: value for member, value in shown.items() if value is not None}


def _fitting(params: Params) -> Callable[[LayerVersion], bool]:
    runtime, architecture = params.get("CompatibleRuntime"), params.get("CompatibleArchitecture")
    return lambda version: version.fits(runtime, architecture)


def _below(marker: str | None) -> int:
    """The number that a page begins below."""
    key = key_in(marker, 1)
    if key is None:
        return 1 << 62
    if not key[0].isdecimal() or len(key[0]) > 18:
        raise bad_marker()
    return int(key[0])


def _listed(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
