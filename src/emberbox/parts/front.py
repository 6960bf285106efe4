"""The front of the server: every service behind one gateway, with its pages and its guard."""

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from typing import Final

from emberbox.functions.service import FunctionsService
from emberbox.gateway.app import Gateway
from emberbox.gateway.bucket_front import BucketFront
from emberbox.gateway.certificate_page import certificate_page
from emberbox.gateway.code_page import code_page
from emberbox.gateway.credentials_page import credentials_page
from emberbox.gateway.function_urls import FRONT as URL_FRONT
from emberbox.gateway.guard import Guard, ResourcePolicies
from emberbox.gateway.json_page import json_page
from emberbox.gateway.request_spans import RequestSpans
from emberbox.gateway.website_page import FRONT as WEBSITE_FRONT
from emberbox.gateway.website_page import PATH as WEBSITE_PATH
from emberbox.identity.container_credentials import PATH as CREDENTIALS_PATH
from emberbox.identity.container_credentials import ContainerCredentials
from emberbox.invoke.frontdoor import FrontDoor
from emberbox.isolation.namespaces import NamespaceBackend
from emberbox.model.function_url import PATH as URL_PATH
from emberbox.model.request import Service
from emberbox.parts.events import Events
from emberbox.parts.function_urls import function_urls
from emberbox.parts.ground import Ground
from emberbox.parts.identity import Identities
from emberbox.parts.logs import Logs
from emberbox.parts.messaging import CERTIFICATES, Messaging
from emberbox.parts.metrics import Metrics
from emberbox.parts.objects import Objects
from emberbox.parts.resource_tags import ResourceTags
from emberbox.parts.sandboxes import facts
from emberbox.parts.traces import Traces
from emberbox.parts.usage import UsageParts
from emberbox.records import dataclass, write_constructors
from emberbox.storage.catalog import FunctionCatalog
from emberbox.telemetry.spans import Spans

log = logging.getLogger("emberbox.gateway")

_BETWEEN_MODELS_S: Final = 0.05
_CONSTRUCTORS_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class Front:
    """The parts that clients meet."""

    backend: NamespaceBackend
    catalog: FunctionCatalog
    functions: FunctionsService
    identities: Identities
    logs: Logs
    metrics: Metrics
    usage: UsageParts
    messaging: Messaging
    objects: Objects
    events: Events
    autoscaling: Service
    traces: Traces
    credentials: ContainerCredentials
    front_door: FrontDoor
    spans: Spans | None

    def policies(self) -> dict[str, ResourcePolicies]:
        """The policies of resources, by service."""
        return {
            **self.events.policies(self.messaging),
            "s3": self.objects.s3.policies.of,
        }

    def services(self) -> list[Service]:
        """All that answer AWS's operations."""
        return self.events.among(
            [
                self.functions,
                self.logs.service,
                self.metrics.service,
                self.identities.iam,
                *self.messaging.services,
                self.objects.s3,
                self.identities.sts,
                self.autoscaling,
                self.traces.service,
            ]
        )


def make_gateway(ground: Ground, front: Front) -> tuple[Guard | None, Gateway]:
    """The gateway, and the guard of it where policies are enforced."""
    settings, identities = ground.settings, front.identities
    guard = identities.guard(
        ground.data, front.catalog, front.policies(), log_all=settings.log_decisions
    )
    urls = function_urls(
        ground,
        front.functions.resources.urls.lookup,
        front.catalog,
        identities,
        guard,
        front.front_door,
        front.metrics.of_lambda,
    )
    websites = front.objects.website_page(guard, settings.region)
    services = front.services()
    if guard is not None:
        guard.tags = ResourceTags(services, front.catalog).context
    gateway = Gateway(
        services,
        default_account=settings.account,
        default_region=settings.region,
        account_of=identities.sessions.account_of,
        guard=guard,
        pages={
            "/_emberbox/code/": code_page(front.functions.downloads.resolve),
            "/_emberbox/sandboxes": json_page(lambda: facts(front.backend)),
            **front.usage.guarded(guard),
            CREDENTIALS_PATH: credentials_page(front.credentials.answer),
            CERTIFICATES: certificate_page(front.messaging.signer),
            URL_PATH: urls.page,
            WEBSITE_PATH: websites,
        },
        fronts={URL_FRONT: urls.page, WEBSITE_FRONT: websites},
        buckets=BucketFront(front.objects.s3.cors_rules, ground.clock),
        spans=None if front.spans is None else RequestSpans(front.spans),
    )
    return guard, gateway


def warm_gateway(gateway: Gateway, stack: AsyncExitStack) -> None:
    """Begin to do ahead of first requests what they would wait for; nothing waits for this.

    Models of services are read, and constructors written, little by little.
    """

    async def warm() -> None:
        try:
            models, more, model = gateway.warm(), True, "the first"
            while model or more:
                model = await asyncio.to_thread(next, models, "")
                more = await asyncio.to_thread(write_constructors, _CONSTRUCTORS_AT_ONCE)
                await asyncio.sleep(_BETWEEN_MODELS_S)
        except Exception:
            log.exception("service models could not be read ahead")

    async def end(warming: asyncio.Task[None]) -> None:
        warming.cancel()
        with suppress(asyncio.CancelledError):
            await warming

    stack.push_async_callback(end, asyncio.get_running_loop().create_task(warm()))
