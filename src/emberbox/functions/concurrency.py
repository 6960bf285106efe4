"""PutFunctionConcurrency, GetFunctionConcurrency, DeleteFunctionConcurrency, GetAccountSettings."""

from emberbox.functions.claims import Claims
from emberbox.functions.finding import found
from emberbox.functions.provisioning import requested_of
from emberbox.functions.references import Target, target_of
from emberbox.model import limits
from emberbox.model.concurrency import check_covers
from emberbox.model.configuration import invalid
from emberbox.model.names import LATEST
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.storage.catalog import FunctionCatalog
from emberbox.storage.concurrency import ConcurrencyStore
from emberbox.storage.functions import FunctionMissingError, FunctionStore


class Concurrency:
    """What is set aside of the account's concurrent executions; `limit` is that of each region."""

    def __init__(
        self,
        store: ConcurrencyStore,
        functions: FunctionStore,
        catalog: FunctionCatalog,
        limit: int,
        claims: Claims,
    ) -> None:
        self._store = store
        self._functions = functions
        self._catalog = catalog
        self._limit = limit
        self._claims = claims

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "DeleteFunctionConcurrency": self.delete_function_concurrency,
            "GetAccountSettings": self.get_account_settings,
            "GetFunctionConcurrency": self.get_function_concurrency,
            "PutFunctionConcurrency": self.put_function_concurrency,
        }

    async def put_function_concurrency(self, context: RequestContext, params: Params) -> Params:
        """Set executions aside for a function, which can have no more; 0 switches it off."""
        target = _whole_function(context, params)
        reserved: int = params["ReservedConcurrentExecutions"]
        try:
            async with self._claims.turn(target.key.account, target.key.region):
                check_covers(reserved, requested_of(self._catalog, target.key).values())
                await self._store.put(target.key, reserved, self._limit)
        except FunctionMissingError:
            raise target.of(LATEST).missing() from None
        return {"ReservedConcurrentExecutions": reserved}

    async def get_function_concurrency(self, context: RequestContext, params: Params) -> Params:
        """What is set aside; nothing if nothing is."""
        target = _whole_function(context, params)
        found(self._catalog, target)
        reserved = self._catalog.reserved(target.key)
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    async def delete_function_concurrency(self, context: RequestContext, params: Params) -> Reply:
        """Give it back, if there is any."""
        target = _whole_function(context, params)
        try:
            await self._store.delete(target.key)
        except FunctionMissingError:
            raise target.missing() from None
        return Reply(status=204)

    async def get_account_settings(self, context: RequestContext, _params: Params) -> Params:
        """Limits, and what is used of them in this region."""
        usage = await self._functions.usage(context.account, context.region)
        reserved = self._catalog.reserved_in(context.account, context.region)
        return {
            "AccountLimit": {
                "TotalCodeSize": limits.CODE_STORAGE_MAX_BYTES,
                "CodeSizeUnzipped": limits.UNZIPPED_MAX_BYTES,
                "CodeSizeZipped": limits.ZIPPED_MAX_BYTES,
                "ConcurrentExecutions": self._limit,
                "UnreservedConcurrentExecutions": self._limit - reserved,
            },
            "AccountUsage": {
                "TotalCodeSize": usage.code_size,
                "FunctionCount": usage.functions,
            },
        }


def _whole_function(context: RequestContext, params: Params) -> Target:
    target = target_of(context, params)
    if target.qualifier is not None:
        raise invalid(
            "This operation is permitted on Lambda functions only. Aliases and versions do not "
            "support this operation. Please specify either a function name or an unqualified "
            "function ARN."
        )
    return target
