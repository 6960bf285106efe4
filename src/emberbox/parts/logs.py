"""Log groups: their database, what collects events, the service, and the filters of groups."""

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.invoke.delivery_rights import may_deliver
from emberbox.model.attachment import Kind
from emberbox.model.names import LATEST, BadNameError, FunctionReference, parse_function_arn
from emberbox.parts.asynchronous import Asynchronous
from emberbox.parts.ground import Ground
from emberbox.records import dataclass
from emberbox.services.logs.service import LogsService
from emberbox.services.logs.subscribing import Functions
from emberbox.settings import AuthMode
from emberbox.storage.catalog import FunctionCatalog
from emberbox.storage.database import Database
from emberbox.storage.log_filters import LogFilterStore
from emberbox.storage.log_records import GroupKey, MissingGroupError
from emberbox.storage.logs import LogStore
from emberbox.telemetry.logs import LogSink
from emberbox.telemetry.metrics import MetricSink


@dataclass(frozen=True, slots=True)
class Logs:
    """What others need of them."""

    store: LogStore
    sink: LogSink
    service: LogsService
    clock: Clock

    async def write(self, arn: str, stream: str, message: str) -> None:
        """Put a message into a stream of the group with this ARN; CallerError without a group."""
        parts = arn.split(":")
        key = GroupKey(parts[4], parts[3], parts[6])
        try:
            await self.store.group(key)
        except MissingGroupError:
            raise CallerError("ResourceNotFoundException", f"{arn} does not exist") from None
        target = self.sink.stream(*key, stream)
        target.append(int(self.clock.now() * 1_000), message.encode())
        await self.sink.flush()
        target.close()


async def open_logs(ground: Ground) -> Logs:
    """Open them; they close when the stack unwinds."""
    database = await Database.open(
        ground.data / "logs.db", "logs", ("logs", "documents"), durable=False
    )
    stack = ground.stack
    stack.push_async_callback(database.close)
    store, filters = LogStore(database), LogFilterStore(database)
    await filters.load()
    sink = await LogSink.open(store, ground.data / "journal", ground.clock)
    stack.push_async_callback(sink.close)
    service = LogsService(store, filters, sink, ground.clock)
    await service.load()
    stack.push_async_callback(service.close)
    return Logs(store, sink, service, ground.clock)


def open_log_filters(
    ground: Ground,
    logs: Logs,
    asynchronous: Asynchronous,
    catalog: FunctionCatalog,
    metrics: MetricSink,
) -> None:
    """Begin to follow what is stored; it ends when the stack unwinds."""
    known = _Known(catalog, ground.settings.auth)
    functions = Functions(asynchronous.entry.send, known.may, known.writes_to, known.may_loop)
    ground.stack.push_async_callback(logs.service.follow(functions, metrics).close)


class _Known:
    """What the catalog knows of a function by its ARN."""

    def __init__(self, catalog: FunctionCatalog, mode: AuthMode) -> None:
        self._catalog = catalog
        self._mode = mode

    def may(self, group_arn: str, function_arn: str) -> bool:
        """Whether the function's policy lets CloudWatch Logs in, by either of its two names."""
        if self._mode is not AuthMode.ENFORCED:
            return True
        found = _parsed(function_arn)
        if found is None:
            return False
        region, account = group_arn.split(":")[3:5]
        return any(
            may_deliver(
                self._catalog,
                principal,
                _key(found),
                found.qualifier,
                source_arn=group_arn,
                source_account=account,
            )
            for principal in ("logs.amazonaws.com", f"logs.{region}.amazonaws.com")
        )

    def writes_to(self, function_arn: str) -> GroupKey | None:
        """The group that the function logs to, None if there is no such function."""
        found = _parsed(function_arn)
        if found is None:
            return None
        key, qualifier = _key(found), found.qualifier or LATEST
        alias = self._catalog.alias(key, qualifier)
        function = self._catalog.version(key, qualifier if alias is None else alias.version)
        return None if function is None else GroupKey(key[0], key[1], function.logging.group)

    def may_loop(self, function_arn: str) -> bool:
        """Whether the function's recursion configuration says so."""
        found = _parsed(function_arn)
        config = (
            None if found is None else self._catalog.attachment(_key(found), Kind.RECURSION, LATEST)
        )
        return config is not None and config.value.get("RecursiveLoop") == "Allow"


def _parsed(arn: str) -> FunctionReference | None:
    try:
        return parse_function_arn(arn)
    except BadNameError:
        return None


def _key(found: FunctionReference) -> tuple[str, str, str]:
    return found.account or "", found.region or "", found.name
