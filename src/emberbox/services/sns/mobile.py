"""Platform applications and their endpoints: kept and shown; nothing is pushed to a phone.

Credentials of a platform are looked at and not kept: nobody here would use them.
Source: API reference of Amazon SNS, CreatePlatformApplication and the operations beside it.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Final

from emberbox.errors import CallerError
from emberbox.model.page_tokens import to_token
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.topic import invalid_parameter
from emberbox.services.sns.naming import PAGE, after, unbuilt
from emberbox.storage.sns_records import Content, RecordKey, SnsRecords

_APPLICATION: Final = "application"
_ENDPOINT: Final = "endpoint"
_NAME: Final = re.compile(r"[\w.-]{1,256}\Z", re.ASCII)
_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:sns:([a-z0-9-]+):(\d{12}):(app|endpoint)/([A-Z_]+/[\w.-]{1,256}(?:/[\w-]+)?)\Z",
    re.ASCII,
)
_PLATFORMS: Final = frozenset(
    {
        "ADM",
        "APNS",
        "APNS_SANDBOX",
        "APNS_VOIP",
        "APNS_VOIP_SANDBOX",
        "BAIDU",
        "GCM",
        "MACOS",
        "MACOS_SANDBOX",
        "MPNS",
        "WNS",
    }
)
_WITHOUT_PRINCIPAL: Final = frozenset({"GCM"})
_CREDENTIALS: Final = frozenset({"PlatformCredential", "PlatformPrincipal"})
_OF_APPLE: Final = frozenset({"ApplePlatformTeamID", "ApplePlatformBundleID"})
_OF_ENDPOINTS: Final = frozenset({"CustomUserData", "Enabled", "Token"})
_USER_DATA_MAX: Final = 2_048
_TOKEN_MAX: Final = 4_096


class MobileOperations:
    """What is done to applications and endpoints."""

    def __init__(self, records: SnsRecords) -> None:
        self._records = records

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CreatePlatformApplication": self.create_platform_application,
            "CreatePlatformEndpoint": self.create_platform_endpoint,
            "DeleteEndpoint": self.delete_endpoint,
            "DeletePlatformApplication": self.delete_platform_application,
            "GetEndpointAttributes": self.get_endpoint_attributes,
            "GetPlatformApplicationAttributes": self.get_platform_application_attributes,
            "ListEndpointsByPlatformApplication": self.list_endpoints_by_platform_application,
            "ListPlatformApplications": self.list_platform_applications,
            "SetEndpointAttributes": self.set_endpoint_attributes,
            "SetPlatformApplicationAttributes": self.set_platform_application_attributes,
        }

    async def create_platform_application(self, context: RequestContext, params: Params) -> Params:
        """Add an application; one that is there already stays as it is."""
        name, platform = params["Name"], params["Platform"]
        if not _NAME.match(name):
            raise invalid_parameter("Name Reason: must be 1 to 256 letters, digits, _, - and .")
        if platform not in _PLATFORMS:
            raise invalid_parameter(f"Platform Reason: {platform[:64]} is not supported")
        kept = _application(params["Attributes"])
        needed = _CREDENTIALS - ({"PlatformPrincipal"} if platform in _WITHOUT_PRINCIPAL else set())
        for missing in sorted(needed - {n for n, v in params["Attributes"].items() if v}):
            raise invalid_parameter(f"Attributes Reason: {missing} is required for {platform}")
        key = RecordKey(context.account, context.region, _APPLICATION, f"{platform}/{name}")
        await self._records.put(key, lambda found: kept if found is None else found)
        return {"PlatformApplicationArn": _arn(key)}

    async def delete_platform_application(self, context: RequestContext, params: Params) -> Params:
        """Remove an application and its endpoints; one that is not there is no error."""
        key = _key(context, params["PlatformApplicationArn"], _APPLICATION)
        await self._records.remove(key)
        await self._records.remove_all(_endpoints_of(key))
        return {}

    async def get_platform_application_attributes(
        self, context: RequestContext, params: Params
    ) -> Params:
        """What is shown of an application: never its credentials."""
        _, content = await self._application(context, params)
        return {"Attributes": {"Enabled": "true", **content}}

    async def set_platform_application_attributes(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Change some attributes."""
        key, _ = await self._application(context, params)
        changed = _application(params["Attributes"])
        await self._records.put(key, lambda found: {**(found or {}), **changed})
        return {}

    async def list_platform_applications(self, context: RequestContext, params: Params) -> Params:
        """The applications of the caller's account, a hundred at a time."""
        beginning = RecordKey(context.account, context.region, _APPLICATION, "")
        found, token = await self._page(beginning, params)
        shown = [
            {"PlatformApplicationArn": _arn(key), "Attributes": {"Enabled": "true", **content}}
            for key, content in found
        ]
        return {"PlatformApplications": shown, **token}

    async def create_platform_endpoint(self, context: RequestContext, params: Params) -> Params:
        """Add an endpoint; the same token again gives the same one, if all else is the same."""
        application, _ = await self._application(context, params)
        asked = {**(params.get("Attributes") or {}), "Token": params["Token"]}
        if params.get("CustomUserData"):
            asked["CustomUserData"] = params["CustomUserData"]
        wanted = {"Enabled": "true", **_endpoint(asked)}
        known = await self._with_token(application, wanted["Token"])
        if known is None:
            beginning = _endpoints_of(application)
            key = beginning._replace(name=f"{beginning.name}{_same_for(wanted['Token'])}")
            found = await self._records.put(key, lambda found: wanted if found is None else found)
        else:
            key, found = known
        if found != wanted:
            raise invalid_parameter(
                f"Token Reason: Endpoint {_arn(key)} already exists with the same Token, but "
                "different attributes."
            )
        return {"EndpointArn": _arn(key)}

    async def _with_token(
        self, application: RecordKey, token: str
    ) -> tuple[RecordKey, Content] | None:
        """The endpoint that has been given a token, at first or later."""
        beginning, last = _endpoints_of(application), ""
        while page := await self._records.page(beginning, last, PAGE):
            for name, content in page:
                if content["Token"] == token:
                    return beginning._replace(name=name), content
            last = page[-1][0]
        return None

    async def delete_endpoint(self, context: RequestContext, params: Params) -> Params:
        """Remove an endpoint; one that is not there is no error."""
        await self._records.remove(_key(context, params["EndpointArn"], _ENDPOINT))
        return {}

    async def get_endpoint_attributes(self, context: RequestContext, params: Params) -> Params:
        """Token, user data, and whether it is enabled."""
        _, content = await self._endpoint(context, params["EndpointArn"])
        return {"Attributes": dict(content)}

    async def set_endpoint_attributes(self, context: RequestContext, params: Params) -> Params:
        """Change some of them."""
        key, _ = await self._endpoint(context, params["EndpointArn"])
        changed = _endpoint(params["Attributes"])
        await self._records.put(key, lambda found: {**(found or {}), **changed})
        return {}

    async def list_endpoints_by_platform_application(
        self, context: RequestContext, params: Params
    ) -> Params:
        """The endpoints of an application, a hundred at a time."""
        application, _ = await self._application(context, params)
        found, token = await self._page(_endpoints_of(application), params)
        shown = [{"EndpointArn": _arn(key), "Attributes": dict(content)} for key, content in found]
        return {"Endpoints": shown, **token}

    async def refuse_push(self, context: RequestContext, arn: str) -> CallerError:
        """Why nothing is published to an endpoint."""
        try:
            _, content = await self._endpoint(context, arn)
        except CallerError as error:
            return error
        if content["Enabled"] != "true":
            return CallerError("EndpointDisabled", "Endpoint is disabled", status=400)
        return unbuilt("TargetArn", ["pushing to phones"])

    async def _page(
        self, beginning: RecordKey, params: Params
    ) -> tuple[list[tuple[RecordKey, Content]], Params]:
        found = await self._records.page(beginning, after(params.get("NextToken")), PAGE + 1)
        token: Params = {"NextToken": to_token(found[PAGE - 1][0])} if len(found) > PAGE else {}
        shown = found[:PAGE]
        return [(beginning._replace(name=name), content) for name, content in shown], token

    async def _application(
        self, context: RequestContext, params: Params
    ) -> tuple[RecordKey, Content]:
        key = _key(context, params["PlatformApplicationArn"], _APPLICATION)
        return key, await self._there(key, "PlatformApplication does not exist")

    async def _endpoint(self, context: RequestContext, arn: str) -> tuple[RecordKey, Content]:
        key = _key(context, arn, _ENDPOINT)
        return key, await self._there(key, "Endpoint does not exist")

    async def _there(self, key: RecordKey, problem: str) -> Content:
        content = await self._records.get(key)
        if content is None:
            raise CallerError("NotFound", problem, status=404)
        return content


def is_endpoint(arn: str) -> bool:
    """Whether an ARN is one of an endpoint for mobile push."""
    found = _ARN.match(arn)
    return found is not None and found[3] == "endpoint"


def _arn(key: RecordKey) -> str:
    what = "app" if key.kind == _APPLICATION else "endpoint"
    return f"arn:aws:sns:{key.region}:{key.account}:{what}/{key.name}"


def _key(context: RequestContext, arn: str, kind: str) -> RecordKey:
    member = "PlatformApplicationArn" if kind == _APPLICATION else "EndpointArn"
    found = _ARN.match(arn)
    parts = 2 if kind == _APPLICATION else 3
    if (
        found is None
        or (found[3] == "app") != (kind == _APPLICATION)
        or len(found[4].split("/")) != parts
    ):
        raise invalid_parameter(f"{member} Reason: {arn[:256]} is no ARN of one")
    if found[2] != context.account:
        raise CallerError("AuthorizationError", "It belongs to another account.", status=403)
    return RecordKey(found[2], found[1], kind, found[4])


def _endpoints_of(application: RecordKey) -> RecordKey:
    return application._replace(kind=_ENDPOINT, name=f"{application.name}/")


def _same_for(token: str) -> str:
    """An id that two requests with one token share, so that only one of them adds an endpoint."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, token))


def _application(attributes: Mapping[str, str]) -> dict[str, str]:
    """What is kept of an application's attributes."""
    unknown = {n for n, v in attributes.items() if v} - _CREDENTIALS - _OF_APPLE - {"Enabled"}
    if unknown:
        raise unbuilt("Attributes", unknown)
    _check_enabled(attributes)
    return {n: v for n, v in attributes.items() if n in _OF_APPLE or n == "Enabled"}


def _endpoint(attributes: Mapping[str, str]) -> dict[str, str]:
    for name in attributes.keys() - _OF_ENDPOINTS:
        raise invalid_parameter(f"Attributes Reason: Invalid attribute name: {name[:64]}")
    _check_enabled(attributes)
    if len(attributes.get("CustomUserData", "").encode()) > _USER_DATA_MAX:
        raise invalid_parameter("CustomUserData Reason: must be at most 2048 bytes long in UTF-8")
    if not 0 < len(attributes.get("Token", "t")) <= _TOKEN_MAX:
        raise invalid_parameter("Token Reason: must be 1 to 4096 characters long")
    return dict(attributes)


def _check_enabled(attributes: Mapping[str, str]) -> None:
    if attributes.get("Enabled", "true") not in ("true", "false"):
        raise invalid_parameter("Attributes Reason: Enabled must be true or false")
