"""Operations on issuers of web identities (OpenID Connect providers)."""

import re
from urllib.parse import urlsplit

from emberbox.clock import Clock, utc
from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.iam import wire
from emberbox.storage.identity_records import Provider, Reason, RefusedError
from emberbox.storage.profiles import ProviderStore

_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:oidc-provider/(.+)")
_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}")
_THUMBPRINTS_MAX = 5


class ProviderOperations:
    """What IAM does with issuers, whose tokens STS takes for roles that trust them."""

    def __init__(self, providers: ProviderStore, clock: Clock) -> None:
        self._providers = providers
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "CreateOpenIDConnectProvider": self.create,
            "GetOpenIDConnectProvider": self.get,
            "ListOpenIDConnectProviders": self.list,
            "DeleteOpenIDConnectProvider": self.delete,
            "AddClientIDToOpenIDConnectProvider": self.add_client,
            "RemoveClientIDFromOpenIDConnectProvider": self.remove_client,
            "UpdateOpenIDConnectProviderThumbprint": self.update_thumbprint,
            "TagOpenIDConnectProvider": self.tag,
            "UntagOpenIDConnectProvider": self.untag,
            "ListOpenIDConnectProviderTags": self.list_tags,
        }

    async def create(self, context: RequestContext, params: Params) -> Params:
        """Add an issuer by its URL."""
        provider = Provider(
            account=context.account,
            url=_url(params["Url"]),
            clients=tuple(params.get("ClientIDList", ())),
            thumbprints=_thumbprints(params.get("ThumbprintList", ())),
            created=float(int(self._clock.now())),
            tags=wire.tags_of(params),
        )
        await self._providers.create(provider)
        return {"OpenIDConnectProviderArn": provider.arn, "Tags": wire.tag_list(provider.tags)}

    async def get(self, context: RequestContext, params: Params) -> Params:
        """Show an issuer."""
        provider = await self._providers.provider(context.account, _of_arn(params))
        return {
            "Url": provider.url,
            "ClientIDList": list(provider.clients),
            "ThumbprintList": list(provider.thumbprints),
            "CreateDate": utc(provider.created),
            "Tags": wire.tag_list(provider.tags),
        }

    async def list(self, context: RequestContext, _params: Params) -> Params:
        """List the issuers."""
        found = await self._providers.providers(context.account)
        return {"OpenIDConnectProviderList": [{"Arn": provider.arn} for provider in found]}

    async def delete(self, context: RequestContext, params: Params) -> Params:
        """Remove an issuer; one that is not there is no error."""
        try:
            await self._providers.delete(context.account, _of_arn(params))
        except RefusedError as refused:
            if refused.reason is not Reason.NO_PROVIDER:
                raise
        return {}

    async def add_client(self, context: RequestContext, params: Params) -> Params:
        """Accept tokens made for one more audience."""
        await self._providers.change(
            context.account, _of_arn(params), add_client=params["ClientID"]
        )
        return {}

    async def remove_client(self, context: RequestContext, params: Params) -> Params:
        """Accept tokens for an audience no more."""
        await self._providers.change(
            context.account, _of_arn(params), remove_client=params["ClientID"]
        )
        return {}

    async def update_thumbprint(self, context: RequestContext, params: Params) -> Params:
        """Replace the thumbprints."""
        marks = _thumbprints(params["ThumbprintList"])
        await self._providers.change(context.account, _of_arn(params), thumbprints=marks)
        return {}

    async def tag(self, context: RequestContext, params: Params) -> Params:
        """Add or replace tags."""
        await self._providers.tag(context.account, _of_arn(params), wire.tags_of(params), ())
        return {}

    async def untag(self, context: RequestContext, params: Params) -> Params:
        """Remove tags."""
        await self._providers.tag(context.account, _of_arn(params), {}, params["TagKeys"])
        return {}

    async def list_tags(self, context: RequestContext, params: Params) -> Params:
        """List an issuer's tags by key."""
        provider = await self._providers.provider(context.account, _of_arn(params))
        return wire.paged_tags(params, provider.tags)


def _url(text: str) -> str:
    """The URL without its scheme; AWS wants https, we take http on this machine's own addresses."""
    parts = urlsplit(text)
    is_local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not parts.hostname or parts.scheme not in ({"https", "http"} if is_local else {"https"}):
        raise CallerError("InvalidInput", "Invalid Open ID Connect Provider URL", status=400)
    return text.partition("://")[2]


def _of_arn(params: Params) -> str:
    found = _ARN.fullmatch(params["OpenIDConnectProviderArn"])
    if found is None:
        raise CallerError("InvalidInput", "ARN is not valid.", status=400)
    return found[1]


def _thumbprints(listed: tuple[str, ...]) -> tuple[str, ...]:
    if len(listed) > _THUMBPRINTS_MAX:
        raise CallerError("InvalidInput", "Thumbprint list must contain fewer than 5 entries.")
    if not all(_THUMBPRINT.fullmatch(mark) for mark in listed):
        raise CallerError("InvalidInput", "Thumbprint must be 40 hexadecimal digits.", status=400)
    return tuple(mark.lower() for mark in listed)
