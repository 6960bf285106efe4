"""What a function's answer to a batch means: which records have failed.

Source: Lambda guide, "Implementing partial batch responses".
"""

from collections.abc import Collection
from typing import Any

import orjson


def failed_records(payload: bytes, identifiers: Collection[str]) -> frozenset[str] | None:
    """The identifiers that the answer reports as failed; None if the whole batch has failed.

    The batch has failed as a whole if the answer is no JSON, is not of the form that is asked for,
    or names a record that is not in the batch.
    """
    try:
        answer = orjson.loads(payload) if payload else None
    except orjson.JSONDecodeError:
        return None
    if answer is None or answer in ("", [], {}):
        return frozenset()
    if not isinstance(answer, dict) or "batchItemFailures" not in answer:
        return None
    failures = answer["batchItemFailures"]
    if failures is None or failures == []:
        return frozenset()
    if not isinstance(failures, list):
        return None
    found = {_identifier(each) for each in failures}
    return frozenset(found) if found <= set(identifiers) else None


def _identifier(failure: Any) -> str:
    """The identifier of a failure; empty, which no record has, if there is none."""
    found = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    return found if isinstance(found, str) else ""
