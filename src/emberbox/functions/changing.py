"""CreateFunction, UpdateFunctionCode, UpdateFunctionConfiguration, DeleteFunction."""

import uuid
from dataclasses import replace
from typing import Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.functions.capacity import Capacity
from emberbox.functions.code_signing import CodeSigning
from emberbox.functions.file_systems import AccessPoints, file_system
from emberbox.functions.hot_reload import check_publishable
from emberbox.functions.layer_use import LayerUse
from emberbox.functions.managed import check_managed, check_publish_to, publication
from emberbox.functions.package_type import check_kind_of_code, check_package_type
from emberbox.functions.packaging import GivenCode, Packaging
from emberbox.functions.references import Target, latest_of, new_key, target_of
from emberbox.functions.role_rights import Needs, RoleRights
from emberbox.functions.roles import RoleLookup, check_role
from emberbox.functions.versioning import code_storage_full
from emberbox.functions.wire import check_settings, configuration, with_settings
from emberbox.model.configuration import begun, invalid
from emberbox.model.function import FunctionVersion, Layer, Logging
from emberbox.model.idleness import awakened
from emberbox.model.layers import check_together
from emberbox.model.limits import CODE_STORAGE_MAX_BYTES
from emberbox.model.names import LATEST, PUBLISHED, log_group_name
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.model.versions import Publication
from emberbox.storage.catalog import FunctionCatalog, FunctionKey
from emberbox.storage.functions import (
    Alter,
    CodeStorageFullError,
    FunctionExistsError,
    FunctionMissingError,
    FunctionStore,
    VersionInUseError,
)

_NEEDS_RIGHTS: Final = {"Role", "VpcConfig", "FileSystemConfigs", "DeadLetterConfig"}


class Changing:
    """What makes, changes and removes functions."""

    def __init__(
        self,
        store: FunctionStore,
        catalog: FunctionCatalog,
        packaging: Packaging,
        access_points: AccessPoints,
        role_rights: RoleRights,
        layers: LayerUse,
        roles: RoleLookup | None,
        clock: Clock,
        signing: CodeSigning,
        capacity: Capacity,
        timeout_max_s: int,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._packaging = packaging
        self._access_points = access_points
        self._role_rights = role_rights
        self._layers = layers
        self._roles = roles
        self._clock = clock
        self._signing = signing
        self._capacity = capacity
        self._timeout_max_s = timeout_max_s

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CreateFunction": self.create_function,
            "DeleteFunction": self.delete_function,
            "UpdateFunctionCode": self.update_function_code,
            "UpdateFunctionConfiguration": self.update_function_configuration,
        }

    async def create_function(self, context: RequestContext, params: Params) -> Params:
        """Store a function; it answers Pending and is Active a moment later."""
        key = new_key(context, params["FunctionName"])
        code = params["Code"]
        check_settings(params, self._timeout_max_s)
        self._access_points.check(key, params)
        await check_managed(self._capacity, context, params, None)
        is_image = check_package_type(params)
        await check_role(self._roles, context, params["Role"])
        await self._role_rights.check(params["Role"], _needs(params, Needs()))
        if self._catalog.lookup(*key) is not None:
            raise _exists(key)
        signing = params.get("CodeSigningConfigArn") or None
        await self._signing.check_deployment(context, signing, key.name)
        layers = await self._layers.held(context, params.get("Layers"))
        given = await self._packaging.given(context, code, is_image=is_image)
        function = self._new_function(key, given, params, layers)
        check_publish_to(function, params)
        if _is_published(params):
            check_publishable(function)
        try:
            made = await self._store.create(
                function, CODE_STORAGE_MAX_BYTES, _wanted(params), self._signing.attached(signing)
            )
        except FunctionExistsError:
            raise _exists(key) from None
        except CodeStorageFullError:
            raise code_storage_full() from None
        return configuration(made)

    async def update_function_code(self, context: RequestContext, params: Params) -> Params:
        """Replace the code; DryRun only says what would come of it."""
        target = latest_of(context, params)
        current = self._catalog.lookup(*target.key)
        if current is None:
            raise target.missing()
        begun(current, params.get("RevisionId"))
        signing = self._signing.assigned_to(target.key)
        await self._signing.check_deployment(context, signing, target.key.name)
        check_kind_of_code(current, params)
        is_image = current.image is not None
        given = await self._packaging.given(context, params, is_image=is_image)

        def alter(before: FunctionVersion) -> FunctionVersion:
            after = given.within(with_settings(before, params))
            check_together(after)
            check_publish_to(after, params)
            if _is_published(params):
                check_publishable(after)
            return after

        if params.get("DryRun"):
            return configuration(alter(current))
        return await self._update(target, params, alter)

    async def update_function_configuration(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Change the settings that are given, and no others."""
        target = latest_of(context, params)
        check_settings(params, self._timeout_max_s)
        self._access_points.check(target.key, params)
        await check_role(self._roles, context, params.get("Role"))
        await self._check_rights(target, params)
        current = self._catalog.lookup(*target.key)
        if current is not None:
            await check_managed(self._capacity, context, params, current)
        layers = await self._layers.held(context, params.get("Layers"))
        return await self._update(
            target, params, lambda before: with_settings(before, params, layers)
        )

    async def delete_function(self, context: RequestContext, params: Params) -> Reply:
        """Remove the function with everything that is only part of it, or one version of it."""
        target = target_of(context, params)
        if target.qualifier == LATEST:
            raise invalid("$LATEST version cannot be deleted without deleting the function.")
        try:
            if target.qualifier is None:
                await self._store.delete(target.key)
            elif target.qualifier.isdecimal() or target.qualifier == PUBLISHED:
                await self._store.delete_version(target.key, target.qualifier)
            else:
                raise invalid("Deletion of aliases is not currently supported.")
        except FunctionMissingError:
            raise target.of(None).missing() from None
        except VersionInUseError as error:
            raise CallerError(
                "ResourceConflictException",
                "Unable to delete version because the following aliases reference it: "
                f"[{', '.join(error.args)}]",
                status=409,
            ) from None
        return Reply(status=204)

    async def _check_rights(self, target: Target, params: Params) -> None:
        """CallerError unless the role that the function will have may do what it will need."""
        current = self._catalog.lookup(*target.key)
        if current is None or not params.keys() & _NEEDS_RIGHTS:
            return
        before = Needs(current.is_in_vpc, current.file_system, current.dead_letter_arn)
        await self._role_rights.check(params.get("Role") or current.role, _needs(params, before))

    async def _update(self, target: Target, params: Params, alter: Alter) -> Params:
        """Begin an update, as one write; it is Successful a moment later."""
        wanted, revision_id, now = params.get("RevisionId"), str(uuid.uuid4()), self._clock.now()

        def work(before: FunctionVersion) -> FunctionVersion:
            after = alter(awakened(begun(before, wanted)))
            return replace(after, revision_id=revision_id, last_modified=now)

        try:
            after = await self._store.update(
                target.key, work, CODE_STORAGE_MAX_BYTES, wanted=_wanted(params)
            )
        except FunctionMissingError:
            raise target.missing() from None
        except CodeStorageFullError:
            raise code_storage_full() from None
        return configuration(after, None if after.version == LATEST else after.version)

    def _new_function(
        self,
        key: FunctionKey,
        code: GivenCode,
        params: Params,
        layers: tuple[Layer, ...] | None,
    ) -> FunctionVersion:
        bare = FunctionVersion(
            account=key.account,
            region=key.region,
            name=key.name,
            role=params["Role"],
            runtime=params.get("Runtime") or "",
            handler=params.get("Handler") or "",
            package_id="",
            code_sha256="",
            code_size=0,
            revision_id=str(uuid.uuid4()),
            last_modified=self._clock.now(),
            logging=Logging(log_group_name(key.name)),
            tags=dict(params.get("Tags") or {}),
        )
        settings = {**params, "ImageUri": params["Code"].get("ImageUri")}
        return with_settings(code.within(bare), settings, layers)


def _exists(key: FunctionKey) -> CallerError:
    return CallerError(
        "ResourceConflictException", f"Function already exist: {key.name}", status=409
    )


def _needs(params: Params, before: Needs) -> Needs:
    """What a function needs after a request, and needed before it."""
    vpc, systems = params.get("VpcConfig"), params.get("FileSystemConfigs")
    letters = params.get("DeadLetterConfig")
    return Needs(
        before.in_vpc if vpc is None else bool(vpc.get("SubnetIds")),
        before.file_system if systems is None else file_system(systems),
        before.dead_letters if letters is None else letters.get("TargetArn") or "",
    )


def _wanted(params: Params) -> Publication | None:
    if not _is_published(params):
        return None
    return replace(publication(params, str(uuid.uuid4())), description=None)


def _is_published(params: Params) -> bool:
    return bool(params.get("Publish") or params.get("PublishTo"))
