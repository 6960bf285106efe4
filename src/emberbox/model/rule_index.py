"""Finds the rules of a bus that an event matches, without trying each of them.

A rule's pattern often names exact values: of the source, of the detail type, of something in the
detail. Rules are kept by those, so that only the few that an event could match are tried.
"""

import json
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

from emberbox.model.event_pattern import EventPattern

K = TypeVar("K", bound=Hashable)

_ANY: Final = None
_Path = tuple[str, ...]


class _Bucket(Generic[K]):
    """Rules of one source and detail type, by an exact value in the detail where they have one."""

    def __init__(self) -> None:
        self.by_value: dict[_Path, dict[str, dict[K, EventPattern]]] = {}
        self.rest: dict[K, EventPattern] = {}

    def candidates(self, event: Mapping[str, Any]) -> Iterator[tuple[K, EventPattern]]:
        yield from self.rest.items()
        for path, values in self.by_value.items():
            seen = set(_texts_at(event, path))
            for text in seen:
                yield from values.get(text, {}).items()

    def homes(self, path: _Path | None, texts: list[str]) -> Iterator[dict[K, EventPattern]]:
        if path is None:
            yield self.rest
            return
        values = self.by_value.setdefault(path, {})
        for text in texts:
            yield values.setdefault(text, {})


class RuleIndex(Generic[K]):
    """Patterns by key. An event is what `json.loads` gives."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str | None, str | None], _Bucket[K]] = {}
        self._homes: dict[K, list[dict[K, EventPattern]]] = {}

    def put(self, key: K, pattern: EventPattern) -> None:
        """Add a pattern, or replace the one of that key."""
        self.remove(key)
        whole = json.loads(pattern.text)
        path, texts = _detail_value(whole)
        homes: list[dict[K, EventPattern]] = []
        for source in _exact(whole.get("source")) or [_ANY]:
            for kind in _exact(whole.get("detail-type")) or [_ANY]:
                bucket = self._buckets.setdefault((source, kind), _Bucket())
                homes += bucket.homes(path, texts)
        for home in homes:
            home[key] = pattern
        self._homes[key] = homes

    def remove(self, key: K) -> None:
        """Forget a pattern; one that is not there is none."""
        for home in self._homes.pop(key, ()):
            home.pop(key, None)

    def candidates(self, event: Mapping[str, Any]) -> dict[K, EventPattern]:
        """The patterns that could let the event through; no others do."""
        source, kind = event.get("source"), event.get("detail-type")
        found: dict[K, EventPattern] = {}
        for place in ((source, kind), (source, _ANY), (_ANY, kind), (_ANY, _ANY)):
            bucket = self._buckets.get(place)
            if bucket is not None:
                found.update(bucket.candidates(event))
        return found

    def matching(self, event: Mapping[str, Any]) -> list[K]:
        """The keys of all patterns that let the event through."""
        return [key for key, each in self.candidates(event).items() if each.matches(event)]

    def __len__(self) -> int:
        return len(self._homes)


def _exact(alternatives: Any) -> list[str | None]:
    """The texts, if a key allows nothing else."""
    if isinstance(alternatives, list) and all(isinstance(each, str) for each in alternatives):
        return list(dict.fromkeys(alternatives))
    return []


def _detail_value(whole: Mapping[str, Any]) -> tuple[_Path | None, list[str]]:
    """The first place in the detail, and beside it, that must have one of a few exact texts."""
    for name, value in whole.items():
        if name in ("source", "detail-type") or not isinstance(value, dict | list):
            continue
        for path, alternatives in _leaves((name,), value):
            texts = [text for text in _exact(alternatives) if text is not None]
            if texts:
                return path, texts
    return None, []


def _leaves(path: _Path, value: Any) -> Iterator[tuple[_Path, Any]]:
    if path[-1] == "$or":
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves((*path, name), inner)
    else:
        yield path, value


def _texts_at(value: Any, path: _Path) -> Iterator[str]:
    """All texts at a path, looking into lists as patterns do."""
    if isinstance(value, list):
        for each in value:
            yield from _texts_at(each, path)
    elif not path:
        if isinstance(value, str):
            yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _texts_at(value[path[0]], path[1:])
