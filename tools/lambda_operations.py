"""The page of Lambda's operations in docs/reference: what each does here, and what shows it.

The state comes from the tests, as `tools.exercised` has seen them; a reason stands here for what
they alone cannot say.
"""

import json
from collections.abc import Iterator, Mapping

from tools.exercised import RECORD

_INSTANCES = "there are no instances here; its state is `Failed`"
_DURABLE = "no function is durable, so there is no execution"
_SOURCES = "queues of SQS are read; other sources are kept, and not polled"
_SIGNATURES = "no signature can be verified here: `Enforce` refuses all code"
_POLICIES = "decides across accounts; within one, everybody may where policies are not enforced"
_REFUSED = "`DurableConfig`, `RuntimeConfig` and the runtime `custom` are refused"
_INERT = "`VpcConfig` and `KMSKeyArn` are kept, without effect"

KEPT: Mapping[str, str] = {
    "CreateCapacityProvider": _INSTANCES,
    "UpdateCapacityProvider": _INSTANCES,
    "PutFunctionScalingConfig": "there are no managed instances to scale",
    "PutRuntimeManagementConfig": "of each runtime there is what the host has",
}
"""What is stored and shown and has no effect, and why."""

LIMITED: Mapping[str, str] = {
    "CreateFunction": f"{_REFUSED}; {_INERT}; functions from images are kept and do not run",
    "UpdateFunctionConfiguration": f"{_REFUSED}; {_INERT}",
    "CreateEventSourceMapping": _SOURCES,
    "UpdateEventSourceMapping": _SOURCES,
    "CreateCodeSigningConfig": _SIGNATURES,
    "UpdateCodeSigningConfig": _SIGNATURES,
    "PutResourcePolicy": _POLICIES,
    "AddPermission": _POLICIES,
    "ListDurableExecutionsByFunction": _DURABLE,
}
"""What is done in part only, and which."""

EMPTY: Mapping[str, str] = {
    "CheckpointDurableExecution": _DURABLE,
    "DeleteDurableExecution": _DURABLE,
    "GetDurableExecution": _DURABLE,
    "GetDurableExecutionHistory": _DURABLE,
    "GetDurableExecutionState": _DURABLE,
    "PauseDurableExecution": _DURABLE,
    "ResumeDurableExecution": _DURABLE,
    "SendDurableExecutionCallbackFailure": _DURABLE,
    "SendDurableExecutionCallbackHeartbeat": _DURABLE,
    "SendDurableExecutionCallbackSuccess": _DURABLE,
    "StopDurableExecution": _DURABLE,
}
"""What is always refused, since what it is about does not exist here, and why."""


def page() -> Iterator[str]:
    """The page; SystemExit if the tests have seen otherwise than this module says."""
    record = json.loads(RECORD.read_text("utf-8"))
    _check(record)
    yield "# Operations of Lambda"
    yield ""
    yield "What each operation that is built does here, and the tests that show it."
    yield "The state is what they have seen: *complete* if a test was answered, *none here* if all"
    yield "were refused. *Kept* is stored, checked and shown, and has no effect; *in part* says how"
    yield "far it goes. [Operations](operations.md) lists those of all services."
    yield ""
    yield "| operation | state | tested in | through real clients in |"
    yield "|---|---|---|---|"
    for name, seen in sorted(record.items()):
        yield f"| {name} | {_state(name)} | {_file(seen['by'])} | {_file(seen['clients'])} |"


def _check(record: Mapping[str, Mapping[str, object]]) -> None:
    refused = {name for name, seen in record.items() if not seen["answered"]}
    faults = {
        "these have a reason, and no test calls them": (KEPT.keys() | LIMITED.keys() | EMPTY.keys())
        - record.keys(),
        "tests have only seen these refused": refused - EMPTY.keys(),
        "tests have seen these answered": EMPTY.keys() - refused,
    }
    for fault, names in faults.items():
        if names:
            raise SystemExit(
                f"{fault}: {', '.join(sorted(names))}; look at tools/lambda_operations.py"
            )


def _state(name: str) -> str:
    if name in EMPTY:
        return f"none here: {EMPTY[name]}"
    if name in KEPT:
        return f"kept: {KEPT[name]}"
    return f"in part: {LIMITED[name]}" if name in LIMITED else "complete"


def _file(path: str | None) -> str:
    return f"`{path.rpartition('/')[2].removesuffix('.py')}`" if path else ""
