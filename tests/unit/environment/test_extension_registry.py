"""Who may register for what, who is waited for, and what is refused; the rules without a server."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.environment.extension_states import ExtensionState
from emberbox.environment.extensions import Extensions
from emberbox.environment.refusals import RefusedError
from emberbox.environment.shutdown import Budget, budget_of


class Caller:
    """Keeps what it is answered."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []

    def reply(self, status: int, body: bytes, headers: str = "") -> bool:
        self.answers.append(body)
        return True


def ready(known: Extensions, name: str, *events: str) -> Caller:
    caller = Caller()
    known.asks_next(known.register(name, list(events)), caller)
    return caller


def test_the_runtime_waits_for_all_programs() -> None:
    """Registered is enough for the runtime to start, ready for a phase to end."""
    known = Extensions()
    known.started(["a", "b"])
    ready(known, "a", "INVOKE")

    assert (known.are_registered, known.are_ready) == (False, False)
    second = known.register("b", [])
    assert (known.are_registered, known.are_ready) == (True, False)
    known.asks_next(second, Caller())
    assert known.are_ready


def test_the_time_at_the_end_goes_by_who_has_registered() -> None:
    """None without extensions, half a second with internal ones, two seconds with external ones."""
    nobody, inside, outside, silent = Extensions(), Extensions(), Extensions(), Extensions()
    inside.register("inside", ["INVOKE"])
    for known in (outside, silent):
        known.started(["outside"])
    outside.register("outside", [])

    assert (budget_of(nobody), budget_of(silent)) == (None, None)
    assert budget_of(inside) == Budget(0.5, 0.5)
    assert budget_of(outside) == Budget(0.3, 2.0)


def test_events_reach_those_who_registered_for_them() -> None:
    """INVOKE and SHUTDOWN go their own ways; who is busy gets SHUTDOWN when it asks."""
    known = Extensions()
    known.started(["invoked", "ended", "both"])
    invoked = ready(known, "invoked", "INVOKE")
    ended = ready(known, "ended", "SHUTDOWN")
    both = ready(known, "both", "INVOKE", "SHUTDOWN")

    known.give_invoke(b"invoke")
    awaited = known.give_shutdown(b"shutdown")
    extension = known.named("both")
    assert extension is not None
    known.asks_next(extension, both)

    assert awaited == {"ended", "both"}
    assert (invoked.answers, ended.answers) == ([b"invoke"], [b"shutdown"])
    assert both.answers == [b"invoke", b"shutdown"]


@pytest.mark.parametrize("identifier", [None, "", "x", str(uuid.uuid4())])
def test_identifiers_cannot_be_made_up(identifier: str | None) -> None:
    """Only what was given to somebody here is known; not the id of a program yet to register."""
    known = Extensions()
    known.started(["a"])
    extension = known.named("a")
    assert extension is not None

    for told in (identifier, extension.id):
        with pytest.raises(RefusedError) as refused:
            known.identified(told)
        assert refused.value.status == 403

    known.register("a", [])
    assert known.identified(extension.id.upper()) is extension


def test_at_most_ten() -> None:
    """An eleventh internal extension is refused, and registration closes."""
    known = Extensions()
    for n in range(10):
        known.register(f"internal-{n}", ["INVOKE"])

    with pytest.raises(RefusedError) as refused:
        known.register("one-more", [])
    assert refused.value.error_type == "Extension.TooManyExtensions"
    known.close_registration()
    with pytest.raises(RefusedError) as refused:
        known.register("late", [])
    assert refused.value.error_type == "Extension.RegistrationClosed"


@given(st.lists(st.sampled_from(["register", "next", "invoke", "exit", "shutdown"]), max_size=20))
def test_any_sequence_of_calls_keeps_to_the_table(calls: list[str]) -> None:
    """Whatever a hostile extension does, it is in a state of the table or refused."""
    known = Extensions()
    known.started(["a"])
    extension = known.named("a")
    assert extension is not None
    refusals = []
    for call in calls:
        before = extension.state
        try:
            match call:
                case "register":
                    known.register("a", ["INVOKE", "SHUTDOWN"])
                case "next":
                    known.asks_next(extension, Caller())
                case "invoke" if known.are_ready:
                    known.give_invoke(b"{}")
                case "exit":
                    extension.ended()
                case "shutdown":
                    known.give_shutdown(b"{}")
        except RefusedError as refused:
            refusals.append(refused.error_type)
            assert extension.state is before
    assert set(refusals) <= {"Extension.InvalidExtensionState"}
    assert extension.state in ExtensionState
