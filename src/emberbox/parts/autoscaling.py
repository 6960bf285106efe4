"""Application Auto Scaling over the provisioned concurrency of functions."""

import uuid

from emberbox.environment.fleet import Fleet
from emberbox.errors import CallerError
from emberbox.functions.service import FunctionsService
from emberbox.model.request import RequestContext
from emberbox.parts.ground import Ground
from emberbox.services.autoscaling.service import AutoScalingService
from emberbox.storage.catalog import FunctionCatalog
from emberbox.storage.database import Database
from emberbox.storage.scaling import ScalingStore

_NO_CONFIG = "ProvisionedConcurrencyConfigNotFoundException"
_REQUESTED = "RequestedProvisionedConcurrentExecutions"


class ProvisionedCapacity:
    """What is scaled: it is asked for as any client would, and looked at where it runs."""

    def __init__(self, functions: FunctionsService, catalog: FunctionCatalog, fleet: Fleet) -> None:
        self._operations = functions.operations
        self._catalog = catalog
        self._fleet = fleet

    async def get(self, key: tuple[str, str, str], qualifier: str) -> int:
        """What is configured; 0 for nothing."""
        name = "GetProvisionedConcurrencyConfig"
        params = {"FunctionName": key[2], "Qualifier": qualifier}
        try:
            found = await self._operations[name](_context(key, name), params)
        except CallerError as error:
            if error.code == _NO_CONFIG or error.status == 404:
                return 0
            raise
        return int(found[_REQUESTED]) if isinstance(found, dict) else 0

    async def put(self, key: tuple[str, str, str], qualifier: str, capacity: int) -> None:
        """Configure it; CallerError if that cannot be."""
        params = {"FunctionName": key[2], "Qualifier": qualifier}
        if capacity:
            name = "PutProvisionedConcurrencyConfig"
            params_of_put = {**params, "ProvisionedConcurrentExecutions": capacity}
            await self._operations[name](_context(key, name), params_of_put)
        else:
            name = "DeleteProvisionedConcurrencyConfig"
            await self._operations[name](_context(key, name), params)

    def utilization(self, key: tuple[str, str, str], qualifier: str) -> float | None:
        """The share of the provisioned environments that is busy now; None if there are none."""
        alias = self._catalog.alias(key, qualifier)
        versions = {qualifier} if alias is None else {alias.version, *alias.weights}
        ready = [
            environment
            for environment in self._fleet.environments()
            if environment.beginning.is_provisioned
            and environment.plan.function.key == key
            and environment.version in versions
        ]
        busy = sum(1 for environment in ready if not environment.is_available)
        return busy / len(ready) if ready else None


async def open_autoscaling(
    ground: Ground,
    state: Database,
    functions: FunctionsService,
    catalog: FunctionCatalog,
    fleet: Fleet,
) -> AutoScalingService:
    """Open it; it stops when the stack unwinds."""
    store = ScalingStore(state)
    await store.load()
    capacity = ProvisionedCapacity(functions, catalog, fleet)
    service = AutoScalingService(store, capacity, catalog.has_qualifier, ground.clock)
    service.scaling_clock.open()
    ground.stack.push_async_callback(service.scaling_clock.close)
    return service


def _context(key: tuple[str, str, str], operation: str) -> RequestContext:
    return RequestContext(key[0], key[1], str(uuid.uuid4()), "lambda", operation, "", "")
