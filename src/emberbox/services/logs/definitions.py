"""Operations on saved queries of Logs Insights."""

import uuid
from typing import Any, Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.records import dataclass
from emberbox.services.logs.naming import invalid, place_of, to_token
from emberbox.storage.logs import LogStore
from emberbox.storage.shelf import Shelf, ShelfKey

DEFINITIONS_MAX: Final = 1_000
PAGE: Final = 1_000
_LANGUAGE: Final = "CWLI"


@dataclass(frozen=True, slots=True)
class Definition:
    """A saved query; `groups` is None if it names none."""

    id: str
    name: str
    text: str
    groups: list[str] | None
    changed_ms: int

    def shown(self) -> dict[str, Any]:
        """As `QueryDefinition` of the model."""
        found: dict[str, Any] = {
            "queryLanguage": _LANGUAGE,
            "queryDefinitionId": self.id,
            "name": self.name,
            "queryString": self.text,
            "lastModified": self.changed_ms,
        }
        if self.groups is not None:
            found["logGroupNames"] = self.groups
        return found


class DefinitionOperations:
    """What CloudWatch Logs does with saved queries."""

    def __init__(self, store: LogStore, clock: Clock) -> None:
        self.shelf = Shelf(store.database, "query", Definition)
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "PutQueryDefinition": self.put_query_definition,
            "DescribeQueryDefinitions": self.describe_query_definitions,
            "DeleteQueryDefinition": self.delete_query_definition,
        }

    async def put_query_definition(self, context: RequestContext, params: Params) -> Params:
        """Save a query, or replace all of one that is saved."""
        if params.get("queryLanguage", _LANGUAGE) != _LANGUAGE:
            raise invalid("Emberbox carries out queries in the language CWLI only.")
        if params.get("parameters"):
            raise invalid("Emberbox builds no parameters of saved queries.")
        given = params.get("queryDefinitionId")
        key = ShelfKey(context.account, context.region, given or str(uuid.uuid4()))
        if given is not None:
            self._check(key)
        elif len(self._of(context)) >= DEFINITIONS_MAX:
            text = f"An account has at most {DEFINITIONS_MAX} query definitions."
            raise CallerError("LimitExceededException", text, status=400)
        made = Definition(
            key.name,
            params["name"],
            params["queryString"],
            params.get("logGroupNames"),
            int(self._clock.now() * 1000),
        )
        await self.shelf.put(key, lambda _: made)
        return {"queryDefinitionId": made.id}

    async def describe_query_definitions(self, context: RequestContext, params: Params) -> Params:
        """List saved queries by name."""
        prefix = params.get("queryDefinitionNamePrefix", "")
        found = [each for each in self._of(context) if each.name.startswith(prefix)]
        if params.get("queryLanguage", _LANGUAGE) != _LANGUAGE:
            found = []
        start, limit = place_of(params), params.get("maxResults", PAGE)
        page = found[start : start + limit]
        answer: Params = {"queryDefinitions": [each.shown() for each in page]}
        if start + limit < len(found):
            answer["nextToken"] = to_token(str(start + limit))
        return answer

    async def delete_query_definition(self, context: RequestContext, params: Params) -> Params:
        """Forget a saved query."""
        key = ShelfKey(context.account, context.region, params["queryDefinitionId"])
        self._check(key)
        await self.shelf.remove(key)
        return {"success": True}

    def _of(self, context: RequestContext) -> list[Definition]:
        here = (context.account, context.region)
        found = [each for key, each in self.shelf.mirror.items() if key[:2] == here]
        return sorted(found, key=lambda each: (each.name, each.id))

    def _check(self, key: ShelfKey) -> None:
        if self.shelf.get(key) is None:
            text = "The specified query definition does not exist."
            raise CallerError("ResourceNotFoundException", text, status=400)
