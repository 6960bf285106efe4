"""What holds for every function or for the whole account, since nothing of it can be set yet.

GetAccountSettings and GetFunctionConcurrency.
"""

from emberbox.functions.references import Target, latest_of
from emberbox.model import limits
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.storage.functions import FunctionStore


class Standing:
    """Answers as for functions without such settings."""

    def __init__(self, store: FunctionStore, concurrency_limit: int) -> None:
        self._store = store
        self._concurrency_limit = concurrency_limit

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "GetAccountSettings": self.get_account_settings,
            "GetFunctionConcurrency": self.get_function_concurrency,
        }

    async def get_account_settings(self, context: RequestContext, _params: Params) -> Params:
        """Limits, and what is used of them in this region."""
        usage = await self._store.usage(context.account, context.region)
        return {
            "AccountLimit": {
                "TotalCodeSize": limits.CODE_STORAGE_MAX_BYTES,
                "CodeSizeUnzipped": limits.UNZIPPED_MAX_BYTES,
                "CodeSizeZipped": limits.ZIPPED_MAX_BYTES,
                "ConcurrentExecutions": self._concurrency_limit,
                "UnreservedConcurrentExecutions": self._concurrency_limit,
            },
            "AccountUsage": {
                "TotalCodeSize": usage.code_size,
                "FunctionCount": usage.functions,
            },
        }

    async def get_function_concurrency(self, context: RequestContext, params: Params) -> Params:
        """Nothing: no function has reserved concurrency."""
        await self._existing(context, params)
        return {}

    async def _existing(self, context: RequestContext, params: Params) -> Target:
        target = latest_of(context, params)
        if await self._store.get(target.key) is None:
            raise target.missing()
        return target
