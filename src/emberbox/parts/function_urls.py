"""Function URLs: what serves them, and what counts their requests."""

from collections.abc import Callable

from emberbox.gateway.function_urls import FunctionUrls
from emberbox.gateway.guard import Guard
from emberbox.gateway.sigv4_scope import ScopeReader
from emberbox.gateway.url_access import UrlAccess
from emberbox.invoke.frontdoor import FrontDoor
from emberbox.model.function_url import FunctionUrl
from emberbox.model.names import LATEST
from emberbox.parts.ground import Ground
from emberbox.parts.identity import FunctionRights, Identities
from emberbox.storage.catalog import FunctionCatalog
from emberbox.telemetry.lambda_metrics import Called, LambdaMetrics


def function_urls(
    ground: Ground,
    lookup: Callable[[str], FunctionUrl | None],
    catalog: FunctionCatalog,
    identities: Identities,
    guard: Guard | None,
    front_door: FrontDoor,
    metrics: LambdaMetrics,
) -> FunctionUrls:
    """Put it together. `lookup` finds URLs by their ids."""
    settings = ground.settings
    scopes = ScopeReader(settings.account, settings.region, identities.sessions.account_of)
    access = UrlAccess(guard, identities.callers, scopes, FunctionRights(catalog).policies)
    return FunctionUrls(lookup, access, front_door, ground.clock, _counter(metrics))


def _counter(metrics: LambdaMetrics) -> Callable[[FunctionUrl, int, float], None]:
    def counted(url: FunctionUrl, status: int, seconds: float) -> None:
        qualifier = "" if url.qualifier == LATEST else url.qualifier
        called = Called(url.account, url.region, url.function, qualifier)
        metrics.add("UrlRequestCount", called)
        metrics.add("UrlRequestLatency", called, seconds * 1000)
        if status >= 400:
            metrics.add("Url5xxCount" if status >= 500 else "Url4xxCount", called)

    return counted
