"""How requests to EventBridge name things, pages of lists, tags, and times on the wire."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

from emberbox.clock import utc
from emberbox.errors import CallerError
from emberbox.model.event_bus import DEFAULT, Bus, bus_arn, invalid, not_found
from emberbox.model.page_tokens import from_token, to_token
from emberbox.model.request import Params, RequestContext
from emberbox.storage.shelf import Shelf, ShelfKey

T = TypeVar("T")

PAGE: Final = 100
_TAGS_MAX: Final = 50
_BUS_ARN: Final = re.compile(
    r"arn:aws[a-z-]*:events:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):event-bus/(?P<name>[\w./-]+)\Z"
)


class Buses:
    """The buses; each account has one named `default` in each region without asking."""

    def __init__(self, shelf: Shelf[Bus]) -> None:
        self.shelf = shelf

    def at(self, key: ShelfKey) -> Bus | None:
        """A bus, or None."""
        found = self.shelf.get(key)
        if found is None and key.name == DEFAULT:
            return Bus(*key, created=0.0, modified=0.0)
        return found

    def named(self, context: RequestContext, name: str | None) -> Bus:
        """The bus of a name or an ARN that the caller owns; CallerError if there is none."""
        key = bus_key(context, name)
        found = self.at(key) if key.account == context.account else None
        if found is None:
            raise not_found(f"Event bus {key.name} does not exist.")
        return found

    def all(self, account: str, region: str) -> list[Bus]:
        """The buses of an account in a region, by name."""
        default = self.at(ShelfKey(account, region, DEFAULT))
        stored = [
            bus
            for bus in self.shelf.mirror
            if (bus.account, bus.region) == (account, region) and bus.name != DEFAULT
        ]
        return sorted([*stored, *([default] if default else [])], key=lambda bus: bus.name)


def bus_key(context: RequestContext, name: str | None) -> ShelfKey:
    """The key of a bus that is named or whose ARN is given."""
    text = name or DEFAULT
    if not text.startswith("arn:"):
        return ShelfKey(context.account, context.region, text)
    found = _BUS_ARN.match(text)
    if found is None:
        raise invalid("Parameter EventBusName is not valid. Reason: it is no ARN of an event bus.")
    return ShelfKey(found["account"], found["region"], found["name"])


def bus_key_of(arn: str) -> ShelfKey | None:
    """The key in the ARN of a bus, or None."""
    found = _BUS_ARN.match(arn)
    return ShelfKey(found["account"], found["region"], found["name"]) if found else None


def arn_of_bus(key: ShelfKey) -> str:
    """The ARN of the bus of a key."""
    return bus_arn(*key)


def mine(shelf: Shelf[T], context: RequestContext, prefix: str | None = None) -> list[T]:
    """The resources of the caller's account and region whose names begin so, by name."""
    found: list[Any] = [
        each
        for each in shelf.mirror
        if (_any(each).account, _any(each).region) == (context.account, context.region)
        and _any(each).name.startswith(prefix or "")
    ]
    return sorted(found, key=lambda each: each.name)


def _any(value: Any) -> Any:
    return value


def page(
    found: Sequence[T], params: Params, member: str, show: Callable[[T], Any]
) -> dict[str, Any]:
    """One page of what was found, in its order."""
    start = 0
    if params.get("NextToken"):
        text = from_token(params["NextToken"])
        if text is None or not text.isdecimal():
            raise invalid("Parameter NextToken is not valid.")
        start = int(text)
    end = start + params.get("Limit", PAGE)
    answer: Params = {member: [show(each) for each in found[start:end]]}
    if end < len(found):
        answer["NextToken"] = to_token(str(end))
    return answer


def stamp(moment: float) -> datetime:
    """A time as the wire has it."""
    return utc(moment)


def present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Members without those that are empty: what was never set is absent."""
    return {name: value for name, value in values.items() if value not in ("", None, {}, [])}


def tags_of(given: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags from their wire form; CallerError if there are too many."""
    found = {tag["Key"]: tag["Value"] for tag in given or ()}
    if len(found) > _TAGS_MAX:
        raise CallerError(
            "LimitExceededException", "The number of tags exceeds the limit.", status=400
        )
    return found


def unbuilt(params: Mapping[str, Any], *members: str) -> None:
    """CallerError for a setting that would be stored and then ignored."""
    for member in members:
        if params.get(member):
            raise invalid(f"Parameter {member} is not valid. Reason: Emberbox does not build it.")
