"""What an invocation used is kept before its caller has the answer."""

from types import SimpleNamespace

import pytest

from emberbox.clock import ManualClock
from emberbox.environment.current import CurrentInvocation
from emberbox.environment.environment import Environment
from emberbox.environment.plan import Plan
from emberbox.isolation.sandbox import Limits
from emberbox.model.invocation import Invocation
from specimens import function_version

FUNCTION = function_version("counted")


class Log:
    """Takes everything and keeps nothing."""

    def __getattr__(self, _name):
        return lambda *_, **__: None


@pytest.fixture
def happened():
    """What happened, in its order."""
    return []


@pytest.fixture
async def environment(happened):
    """One whose sandbox has used nothing."""
    sandbox = SimpleNamespace(
        blank_socket=lambda: None,
        out_of_memory_kills=lambda: 0,
        cpu_ms=lambda: 0.0,
        memory_peak_bytes=lambda: 1 << 20,
    )
    owner = SimpleNamespace(on_report=lambda *_: happened.append("kept"))
    plan = Plan(FUNCTION, Limits(128 << 20, 0.0, 512 << 20), lambda *_: {}, (), "arn")
    return Environment(plan, sandbox, Log(), "stream", owner, ManualClock())


@pytest.mark.parametrize("tail", [False, True])
async def test_an_answer_follows_the_record_of_it(environment, happened, tail):
    """A server that is killed when its caller hears of an invocation has it on the bill."""
    invocation = Invocation("id", b"{}", 3, FUNCTION.arn, "", tail=tail)
    environment.current = CurrentInvocation(invocation, lambda _: happened.append("answered"))

    environment.answered(b"1")

    assert happened == ["kept", "answered"]
