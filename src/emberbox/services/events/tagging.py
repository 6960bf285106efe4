"""Tags of buses and rules."""

from collections.abc import Mapping
from dataclasses import replace

from emberbox.model.event_bus import DEFAULT, Bus, Rule, not_found
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.events.naming import Buses, tags_of
from emberbox.services.events.rules import key_of
from emberbox.storage.shelf import Shelf, ShelfKey


class TagOperations:
    """What is done to tags."""

    def __init__(self, buses: Buses, rules: Shelf[Rule]) -> None:
        self._buses = buses
        self._rules = rules

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "ListTagsForResource": self.list_tags_for_resource,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
        }

    async def list_tags_for_resource(self, context: RequestContext, params: Params) -> Params:
        """The tags of a bus or a rule."""
        tags = self._found(context, params["ResourceARN"]).tags
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    async def tag_resource(self, context: RequestContext, params: Params) -> Params:
        """Add or replace tags."""
        found = self._found(context, params["ResourceARN"])
        merged = {**found.tags, **tags_of(params["Tags"])}
        tags_of([{"Key": key, "Value": value} for key, value in merged.items()])
        await self._put(found, merged)
        return {}

    async def untag_resource(self, context: RequestContext, params: Params) -> Params:
        """Remove tags."""
        found = self._found(context, params["ResourceARN"])
        gone = frozenset(params["TagKeys"])
        await self._put(found, {k: v for k, v in found.tags.items() if k not in gone})
        return {}

    def _found(self, context: RequestContext, arn: str) -> Bus | Rule:
        kind, _, rest = arn.split(":", 5)[-1].partition("/")
        found: Bus | Rule | None = None
        if kind == "event-bus":
            found = self._buses.at(ShelfKey(context.account, context.region, rest))
        elif kind == "rule":
            name = rest if "/" in rest else f"{DEFAULT}/{rest}"
            found = self._rules.get(ShelfKey(context.account, context.region, name))
        if found is None or found.arn != arn:
            raise not_found(f"Resource {arn} does not exist.")
        return found

    async def _put(self, found: Bus | Rule, tags: Mapping[str, str]) -> None:
        if isinstance(found, Rule):
            rule = found
            await self._rules.put(key_of(rule), lambda old: replace(old or rule, tags=dict(tags)))
            return
        bus = found
        key = ShelfKey(bus.account, bus.region, bus.name)
        await self._buses.shelf.put(key, lambda old: replace(old or bus, tags=dict(tags)))
