"""Code signing: configurations, their assignment to functions, and what they mean for a package.

Whether a package is signed cannot be found out off AWS: its signature is made by AWS Signer and
checked against keys and revocations that only AWS has. So no package is trusted here, and the
policy of the configuration decides: Enforce refuses it, Warn lets it pass and says so in the log.
"""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.functions.attaching import Attaching
from emberbox.functions.pages import page_of
from emberbox.functions.references import Target, latest_of
from emberbox.functions.stamps import timestamp
from emberbox.model.attachment import Attachment, Kind
from emberbox.model.configuration import check_tags, invalid
from emberbox.model.names import LATEST, arn_part
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.storage.account_resources import (
    AccountResource,
    AccountResourceStore,
    ResourceMissingError,
    TooManyResourcesError,
)
from emberbox.storage.catalog import FunctionCatalog, FunctionKey

KIND: Final = "code-signing-config"
_CONFIGS_MAX: Final = 20
_ID_LENGTH: Final = 17
_POLICIES: Final = "CodeSigningPolicies"
_POLICY: Final = "UntrustedArtifactOnDeployment"

log = logging.getLogger("emberbox.functions")


class CodeSigning:
    """The operations, and the check of a deployment."""

    def __init__(
        self,
        configs: AccountResourceStore,
        assigned: Attaching,
        catalog: FunctionCatalog,
        clock: Clock,
    ) -> None:
        self._configs = configs
        self._assigned = assigned
        self._catalog = catalog
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CreateCodeSigningConfig": self.create_config,
            "DeleteCodeSigningConfig": self.delete_config,
            "DeleteFunctionCodeSigningConfig": self.unassign,
            "GetCodeSigningConfig": self.get_config,
            "GetFunctionCodeSigningConfig": self.get_assigned,
            "ListCodeSigningConfigs": self.list_configs,
            "ListFunctionsByCodeSigningConfig": self.list_functions,
            "PutFunctionCodeSigningConfig": self.assign,
            "UpdateCodeSigningConfig": self.update_config,
        }

    async def check_deployment(self, context: RequestContext, arn: str | None, name: str) -> None:
        """CallerError unless a package may become the code of a function with this configuration.

        None for no configuration.
        """
        if arn is None:
            return
        config = await self._found(context, arn, _not_assignable(arn))
        if config.value[_POLICIES][_POLICY] == "Enforce":
            raise CallerError(
                "CodeVerificationFailedException",
                "The code signature failed one or more of the validation checks for signature "
                "mismatch or expiry, and the code signing policy is set to ENFORCE. Lambda blocks "
                "the deployment. Emberbox cannot verify signatures of AWS Signer, so it trusts no "
                "package.",
                status=400,
            )
        log.warning(
            "the code of function %s is not trusted, as no signature can be verified here; the "
            "policy of %s is Warn",
            name,
            arn,
        )

    def assigned_to(self, key: FunctionKey) -> str | None:
        """The ARN of a function's configuration, or None."""
        found = self._assigned.get(Target(key, None))
        return None if found is None else str(found.value["CodeSigningConfigArn"])

    def attached(self, arn: str | None) -> list[Attachment]:
        """What hangs on a new function that is given this configuration; None for none."""
        if arn is None:
            return []
        value = {"CodeSigningConfigArn": arn}
        return [Attachment(Kind.CODE_SIGNING, LATEST, value, self._clock.now())]

    async def create_config(self, context: RequestContext, params: Params) -> Params:
        """Make a configuration."""
        tags = dict(params.get("Tags") or {})
        check_tags(tags)
        alphabet = "0123456789abcdef"
        name = "csc-" + "".join(secrets.choice(alphabet) for _ in range(_ID_LENGTH))
        value = {
            "Description": params.get("Description") or "",
            "AllowedPublishers": params["AllowedPublishers"],
            _POLICIES: {_POLICY: "Warn", **(params.get(_POLICIES) or {})},
        }
        _check_publishers(value)
        config = AccountResource(
            context.account, context.region, KIND, name, value, self._clock.now(), tags
        )
        try:
            await self._configs.create(config, _CONFIGS_MAX)
        except TooManyResourcesError:
            raise invalid(
                f"An account has at most {_CONFIGS_MAX} code signing configurations in a region."
            ) from None
        return {"CodeSigningConfig": _shown(config)}

    async def get_config(self, context: RequestContext, params: Params) -> Params:
        """One configuration."""
        return {"CodeSigningConfig": _shown(await self._named(context, params))}

    async def update_config(self, context: RequestContext, params: Params) -> Params:
        """Change what is given."""
        before = await self._named(context, params)
        given = {
            member: params[member]
            for member in ("Description", "AllowedPublishers", _POLICIES)
            if params.get(member) is not None
        }
        _check_publishers(given)
        now = self._clock.now()

        def alter(config: AccountResource) -> AccountResource:
            policies = {**config.value[_POLICIES], **(given.get(_POLICIES) or {})}
            return replace(
                config, value={**config.value, **given, _POLICIES: policies}, modified=now
            )

        try:
            after = await self._configs.update(context.account, context.region, before.name, alter)
        except ResourceMissingError:
            raise _missing(params["CodeSigningConfigArn"]) from None
        return {"CodeSigningConfig": _shown(after)}

    async def delete_config(self, context: RequestContext, params: Params) -> Reply:
        """Remove a configuration that no function has."""
        config = await self._named(context, params)
        users = self._users(context, config.arn)
        if users:
            raise CallerError(
                "ResourceConflictException",
                f"The code signing configuration {config.arn} is in use by {len(users)} "
                f"function(s), for instance {users[0]}.",
                status=409,
            )
        try:
            await self._configs.remove(context.account, context.region, config.name)
        except ResourceMissingError:
            raise _missing(config.arn) from None
        return Reply(status=204)

    async def list_configs(self, context: RequestContext, params: Params) -> Params:
        """A page of configurations, by id."""
        found = await self._configs.all(context.account, context.region)
        return page_of("CodeSigningConfigs", found, params, lambda each: each.name, _shown)

    async def list_functions(self, context: RequestContext, params: Params) -> Params:
        """A page of the functions that have a configuration, by name."""
        config = await self._named(context, params)
        users = self._users(context, config.arn)
        return page_of("FunctionArns", users, params, str, str)

    async def assign(self, context: RequestContext, params: Params) -> Params:
        """Give a function a configuration; it counts from the next deployment on."""
        target = latest_of(context, params)
        arn = params["CodeSigningConfigArn"]
        await self._found(context, arn, _not_assignable(arn))
        await self._assigned.change(target.of(None), lambda _: {"CodeSigningConfigArn": arn})
        return {"CodeSigningConfigArn": arn, "FunctionName": target.key.name}

    async def get_assigned(self, context: RequestContext, params: Params) -> Params:
        """The configuration of a function; without one, the name alone."""
        target = self._function(context, params)
        arn = self.assigned_to(target.key)
        shown = {"FunctionName": target.key.name}
        return shown if arn is None else {"CodeSigningConfigArn": arn, **shown}

    async def unassign(self, context: RequestContext, params: Params) -> Reply:
        """Take a function's configuration away; whether it had one does not matter."""
        target = self._function(context, params)
        await self._assigned.change(target.of(None), lambda _: None)
        return Reply(status=204)

    def _function(self, context: RequestContext, params: Params) -> Target:
        target = latest_of(context, params)
        if self._catalog.lookup(*target.key) is None:
            raise target.missing()
        return target

    def _users(self, context: RequestContext, arn: str) -> list[str]:
        """The functions that have a configuration, by name."""
        return sorted(
            Target(FunctionKey(*key), None).arn
            for key, each in self._catalog.all_attachments(Kind.CODE_SIGNING)
            if key[:2] == (context.account, context.region)
            and each.value["CodeSigningConfigArn"] == arn
        )

    async def _named(self, context: RequestContext, params: Params) -> AccountResource:
        arn = params["CodeSigningConfigArn"]
        return await self._found(context, arn, _missing(arn))

    async def _found(
        self, context: RequestContext, arn: str, missing: CallerError
    ) -> AccountResource:
        _, _, _, region, account, _, name = arn.split(":")
        config = await self._configs.get(context.account, context.region, name)
        if config is None or (account, region) != (context.account, context.region):
            raise missing
        return config


def _shown(config: AccountResource) -> Params:
    return {
        "CodeSigningConfigId": config.name,
        "CodeSigningConfigArn": config.arn,
        **config.value,
        "LastModified": timestamp(config.modified),
    }


def _check_publishers(value: Mapping[str, Any]) -> None:
    for arn in (value.get("AllowedPublishers") or {}).get("SigningProfileVersionArns") or []:
        if arn_part(arn, 2) != "signer":
            raise invalid(f"{arn} is not the ARN of a version of a signing profile.")


def _missing(arn: str) -> CallerError:
    return CallerError(
        "ResourceNotFoundException",
        f"The Lambda code signing configuration {arn} can not be found.",
        status=404,
        fields={"Type": ""},
    )


def _not_assignable(arn: str) -> CallerError:
    return CallerError(
        "CodeSigningConfigNotFoundException",
        "The code signing configuration cannot be found. Check that the provided configuration is "
        f"not deleted: {arn}.",
        status=404,
    )
