"""Durable executions, as for functions without DurableConfig: there are none.

Each operation looks at what it is given, and says that the execution or callback does not exist.
"""

from emberbox.errors import CallerError
from emberbox.functions.finding import found
from emberbox.functions.references import target_of
from emberbox.model.configuration import invalid
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.storage.catalog import FunctionCatalog

_OF_EXECUTIONS = (
    "DeleteDurableExecution",
    "GetDurableExecution",
    "GetDurableExecutionHistory",
    "PauseDurableExecution",
    "ResumeDurableExecution",
    "StopDurableExecution",
)
_OF_CALLBACKS = (
    "SendDurableExecutionCallbackFailure",
    "SendDurableExecutionCallbackHeartbeat",
    "SendDurableExecutionCallbackSuccess",
)
_OF_TOKENS = ("CheckpointDurableExecution", "GetDurableExecutionState")


class Durable:
    """The operations."""

    def __init__(self, catalog: FunctionCatalog) -> None:
        self._catalog = catalog

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "ListDurableExecutionsByFunction": self.list_executions,
            **dict.fromkeys(_OF_EXECUTIONS, self.no_execution),
            **dict.fromkeys(_OF_CALLBACKS, self.no_callback),
            **dict.fromkeys(_OF_TOKENS, self.no_token),
        }

    async def list_executions(self, context: RequestContext, params: Params) -> Params:
        """None, of a function that exists."""
        found(self._catalog, target_of(context, params))
        if params.get("Marker"):
            raise invalid("The Marker is none that this operation has given.")
        return {"DurableExecutions": []}

    async def no_execution(self, _context: RequestContext, params: Params) -> Params:
        """There is no such execution."""
        raise CallerError(
            "ResourceNotFoundException",
            f"Durable execution not found: {params['DurableExecutionArn']}",
            status=404,
        )

    async def no_callback(self, _context: RequestContext, params: Params) -> Params:
        """There is no such callback."""
        raise CallerError(
            "ResourceNotFoundException", f"Callback not found: {params['CallbackId']}", status=404
        )

    async def no_token(self, _context: RequestContext, _params: Params) -> Params:
        """No execution has ever given a checkpoint token."""
        raise invalid("Invalid checkpoint token")
