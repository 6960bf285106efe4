"""Which invocations may run at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.errors import CallerError
from emberbox.invoke.admission import Admission, Admitted

F = ("1", "r", "f")
G = ("1", "r", "g")
LIMIT = 10


class Reservations:
    """What is set aside, by function."""

    def __init__(self, **reserved):
        self.by_name = reserved

    def reserved(self, key):
        return self.by_name.get(key[2])

    def reserved_in(self, _account, _region):
        return sum(self.by_name.values())


def attempt(admission, key):
    """What was admitted, or why not."""
    try:
        return admission.admit(key)
    except CallerError as error:
        return error


def fill(admission, key):
    """Admit as many as may run; the list, and the reason why there are no more."""
    admitted = []
    while isinstance(one := attempt(admission, key), Admitted):
        admitted.append(one)
    assert (one.code, one.status) == ("TooManyRequestsException", 429)
    assert one.message == "Rate Exceeded."
    return admitted, one.fields["Reason"]


def test_functions_share_what_is_not_reserved():
    """A reservation takes from the pool whether it is used or not."""
    admission = Admission(Reservations(f=3), LIMIT)

    common, why = fill(admission, G)
    own, why_not = fill(admission, F)

    assert (len(common), why) == (7, "ConcurrentInvocationLimitExceeded")
    assert (len(own), why_not) == (3, "ReservedFunctionConcurrentInvocationLimitExceeded")
    assert admission.total == 10


def test_a_reservation_of_nothing_switches_a_function_off():
    """Others are not concerned."""
    admission = Admission(Reservations(f=0), LIMIT)

    assert fill(admission, F) == ([], "ReservedFunctionConcurrentInvocationLimitExceeded")
    assert len(fill(admission, G)[0]) == LIMIT


def test_accounts_and_regions_have_limits_of_their_own():
    """One does not use up another's."""
    admission = Admission(Reservations(), LIMIT)
    fill(admission, F)

    assert len(fill(admission, ("2", "r", "f"))[0]) == LIMIT
    assert len(fill(admission, ("1", "s", "f"))[0]) == LIMIT


def test_what_runs_when_a_reservation_is_made_counts_for_it():
    """The new limit holds for the function at once."""
    reservations = Reservations()
    admission = Admission(reservations, LIMIT)
    running = [admission.admit(F) for _ in range(2)]

    reservations.by_name["f"] = 3
    more, _ = fill(admission, F)

    assert len(more) == 1
    for each in (*running, *more):
        admission.release(each)
    assert (admission.total, admission.running(F)) == (0, 0)


@given(
    st.lists(
        st.tuples(st.sampled_from(["admit", "release", "reserve"]), st.integers(0, 12)),
        max_size=60,
    )
)
def test_what_is_admitted_and_ends_leaves_nothing(steps):
    """Whatever is reserved meanwhile, the counts are those of what runs."""
    reservations = Reservations()
    admission = Admission(reservations, LIMIT)
    running = []
    for step, number in steps:
        if step == "admit":
            one = attempt(admission, (F, G)[number % 2])
            running += [one] if isinstance(one, Admitted) else []
        elif step == "release" and running:
            admission.release(running.pop(number % len(running)))
        elif step == "reserve":
            reservations.by_name["f"] = number
        assert admission.total == len(running)
        assert admission.running(F) == sum(each.key == F for each in running)
    for each in running:
        admission.release(each)
    reservations.by_name.clear()

    assert len(fill(admission, F)[0]) == LIMIT


def test_only_what_was_admitted_is_released():
    """A release that was not admitted is a fault of ours, not a negative count."""
    admission = Admission(Reservations(), LIMIT)
    once = admission.admit(F)
    admission.release(once)

    with pytest.raises(KeyError):
        admission.release(once)


def requests(admission, key, now, count):
    """How many of so many synchronous requests were let in and ended at once, and the refusal."""
    let_in, refusal = 0, None
    for _ in range(count):
        try:
            admission.release(admission.admit(key, now))
            let_in += 1
        except CallerError as error:
            refusal = error
    return let_in, refusal


def test_a_second_has_ten_requests_for_each_execution():
    """The account's limit for a function without reservation, else its own; asynchronous ones are
    not counted."""
    admission = Admission(Reservations(f=3), LIMIT)

    common, why = requests(admission, G, 1.0, 200)
    own, why_not = requests(admission, F, 1.0, 200)
    later, _ = requests(admission, F, 1.5, 200)
    for _ in range(50):
        admission.release(admission.admit(F))

    assert (common, why.fields["Reason"]) == (100, "FunctionInvocationRateLimitExceeded")
    assert (own, why_not.fields["Reason"]) == (30, "ReservedFunctionInvocationRateLimitExceeded")
    assert later == 15
    assert why.headers == {"Retry-After": "1"}


def test_a_server_may_have_no_limit_of_rate():
    """With a rate of 0."""
    assert requests(Admission(Reservations(), LIMIT, 0), G, 1.0, 1_000) == (1_000, None)


def test_who_asks_again_counts_once():
    """What was admitted and did not run is as if it had never come."""
    admission = Admission(Reservations(f=1), LIMIT)
    for _ in range(9):
        admission.withdraw(admission.admit(F, 1.0))

    assert requests(admission, F, 1.0, 20)[0] == 10


def test_peaks_are_the_most_that_ran_at_once():
    """Of functions, of the account, of what is not reserved; the next begin with what runs."""
    admission = Admission(Reservations(f=3), LIMIT)
    first = [admission.admit(G), admission.admit(F), admission.admit(G)]
    for each in first[:2]:
        admission.release(each)

    functions, accounts, unreserved = admission.take_peaks()

    assert functions == {G: 2, F: 1}
    assert (accounts, unreserved) == ({("1", "r"): 3}, {("1", "r"): 2})
    assert admission.take_peaks() == ({G: 1}, {("1", "r"): 1}, {("1", "r"): 1})
    admission.release(first[2])
    admission.take_peaks()
    assert admission.take_peaks() == ({}, {}, {})


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([F, G])), max_size=60))
def test_peaks_agree_with_counting(steps):
    """Whatever begins and ends in whatever order."""
    admission, running, most = Admission(Reservations(f=3), LIMIT), [], (0, 0)
    for begins, key in steps:
        mine = [each for each in running if each.key == key]
        if begins and isinstance(one := attempt(admission, key), Admitted):
            running.append(one)
        elif not begins and mine:
            running.remove(mine[0])
            admission.release(mine[0])
        pooled = sum(each.is_pooled for each in running)
        most = (max(most[0], len(running)), max(most[1], pooled))

    _, accounts, unreserved = admission.take_peaks()

    assert (accounts.get(("1", "r"), 0), unreserved.get(("1", "r"), 0)) == most
