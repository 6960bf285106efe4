"""What operations on subscription filters and metric filters share: checks, pages, errors."""

from collections.abc import Sequence

from emberbox.errors import CallerError
from emberbox.model.log_filter import FilterError, compile_filter
from emberbox.model.request import Params
from emberbox.services.logs.naming import from_token, invalid, to_token
from emberbox.storage.log_filters import Kind, LogFilter, LogFilterStore, TooManyFiltersError
from emberbox.storage.log_records import GroupKey

PAGE = 50
_UNBUILT = ("fieldSelectionCriteria", "emitSystemFields", "emitSystemFieldDimensions")


def check_pattern(pattern: str) -> None:
    """CallerError if the text is no filter pattern."""
    try:
        compile_filter(pattern)
    except FilterError as error:
        raise invalid(str(error)) from None


def check_settings(params: Params) -> None:
    """CallerError for settings that nothing here would heed."""
    if params.get("applyOnTransformedLogs"):
        raise invalid("Emberbox has no log transformers: applyOnTransformedLogs cannot be true.")
    for name in _UNBUILT:
        if params.get(name):
            raise invalid(f"Emberbox does not carry out {name}.")


async def put(
    store: LogFilterStore,
    group: GroupKey,
    kind: Kind,
    params: Params,
    settings: Params,
    *,
    now_ms: int,
    most: int,
) -> LogFilter:
    """Keep a filter as its operation names it; a group has at most so many of a kind."""
    name, pattern = params["filterName"], params["filterPattern"]
    try:
        return await store.put(group, kind, name, pattern, settings, now_ms=now_ms, most=most)
    except TooManyFiltersError:
        raise CallerError(
            "LimitExceededException", "Resource limit exceeded.", status=400
        ) from None


def page(name: str, found: Sequence[LogFilter], params: Params) -> Params:
    """A page of filters with a prefix, by group and name, as the member `name` of the answer."""
    prefix, limit = params.get("filterNamePrefix", ""), params.get("limit", PAGE)
    after = from_token(params["nextToken"]) if "nextToken" in params else ""
    keyed = sorted((f"{each.group.name}:{each.name}", each) for each in found)
    left = [(key, each) for key, each in keyed if key > after and each.name.startswith(prefix)]
    answer: Params = {name: [_shown(each) for _, each in left[:limit]]}
    if len(left) > limit:
        answer["nextToken"] = to_token(left[limit - 1][0])
    return answer


def _shown(made: LogFilter) -> Params:
    return {
        "filterName": made.name,
        "logGroupName": made.group.name,
        "filterPattern": made.pattern,
        "applyOnTransformedLogs": False,
        "creationTime": made.created_ms,
        **made.settings,
    }
