"""Operations on subscription filters. They lead to functions."""

from emberbox.clock import Clock
from emberbox.model.names import BadNameError, parse_function_arn
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.logs.filter_pages import (
    check_pattern,
    check_settings,
    page,
    put,
)
from emberbox.services.logs.following import Following
from emberbox.services.logs.naming import group_arn, group_key, invalid
from emberbox.services.logs.subscribing import Functions, closes_loop
from emberbox.storage.log_filters import Kind, LogFilterStore
from emberbox.storage.log_records import GroupKey
from emberbox.storage.logs import LogStore

FILTERS_MAX = 2
_ARN_PARTS = 6


class SubscriptionOperations:
    """What CloudWatch Logs does with subscription filters."""

    def __init__(self, logs: LogStore, store: LogFilterStore, clock: Clock) -> None:
        self._logs = logs
        self._store = store
        self._clock = clock
        self.functions: Functions | None = None
        self.following: Following | None = None

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "PutSubscriptionFilter": self.put_subscription_filter,
            "DescribeSubscriptionFilters": self.describe_subscription_filters,
            "DeleteSubscriptionFilter": self.delete_subscription_filter,
        }

    async def put_subscription_filter(self, context: RequestContext, params: Params) -> Params:
        """Send a function what matches, from the next event that is stored on."""
        key = group_key(context, params["logGroupName"])
        await self._logs.group(key)
        check_pattern(params["filterPattern"])
        check_settings(params)
        self._check_destination(key, params)
        settings = {
            "destinationArn": params["destinationArn"],
            "distribution": params.get("distribution", "ByLogStream"),
        }
        made = await put(
            self._store,
            key,
            Kind.SUBSCRIPTION,
            params,
            settings,
            now_ms=int(self._clock.now() * 1000),
            most=FILTERS_MAX,
        )
        if self.following is not None:
            self.following.poke(made)
        return {}

    def _check_destination(self, key: GroupKey, params: Params) -> None:
        arn = params["destinationArn"]
        parts = arn.split(":")
        vendor = parts[2] if len(parts) >= _ARN_PARTS else "of this kind"
        if vendor != "lambda":
            raise invalid(
                f"Emberbox sends log events to functions only: destinations {vendor} are not built."
            )
        if "roleArn" in params:
            raise invalid("destinationArn for vendor lambda cannot be used with roleArn")
        if params.get("distribution", "ByLogStream") != "ByLogStream":
            raise invalid("destinationArn for vendor lambda cannot be used with distribution")
        try:
            reference = parse_function_arn(arn)
        except BadNameError:
            raise invalid("Invalid destination ARN.") from None
        if (reference.account, reference.region) != (key.account, key.region):
            raise invalid("The function must be in the account and region of the log group.")
        functions = self.functions
        if (
            functions is None
            or functions.writes_to(arn) is None
            or not functions.may(f"{group_arn(key)}:*", arn)
        ):
            raise invalid(
                "Could not execute the lambda function. Make sure you have given CloudWatch Logs "
                "permission to execute your function."
            )
        if closes_loop(self._store, functions, key, arn):
            raise invalid(
                "What the function logs would come back to this log group and invoke it in an "
                "endless loop. Allow it by PutFunctionRecursionConfig if that is meant."
            )

    async def describe_subscription_filters(
        self, context: RequestContext, params: Params
    ) -> Params:
        """List the filters of a group."""
        group = await self._logs.group(group_key(context, params["logGroupName"]))
        return page("subscriptionFilters", self._store.of(group.id, Kind.SUBSCRIPTION), params)

    async def delete_subscription_filter(self, context: RequestContext, params: Params) -> Params:
        """Remove a filter; what it has not sent yet is not sent."""
        key = group_key(context, params["logGroupName"])
        await self._store.remove(key, Kind.SUBSCRIPTION, params["filterName"])
        return {}
