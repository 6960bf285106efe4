"""Provisioned concurrency: what is to be kept, how it stands, and what is refused."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.clock import ManualClock
from emberbox.environment.pool import Pool
from emberbox.environment.provision import Provision
from emberbox.errors import CallerError
from emberbox.model.function import Logging
from emberbox.model.provisioned import (
    INIT_FAILURE,
    Allocation,
    Status,
    check_amount,
    check_qualifier,
    wanted,
)
from specimens import function_version

VERSION = function_version(
    "f",
    role="r",
    handler="a.b",
    package_id="p",
    code_sha256="s",
    code_size=1,
    revision_id="one",
    last_modified=0.0,
    logging=Logging("g"),
    version="1",
)


def test_aliases_count_for_their_versions():
    """Two aliases of one version add up."""
    assert wanted({"a": 2, "b": 3, "7": 1}, {"a": "1", "b": "1", "c": "2"}) == {"1": 5, "7": 1}


@pytest.mark.parametrize(
    ("allocation", "status"),
    [
        (Allocation(), Status.IN_PROGRESS),
        (Allocation(1), Status.IN_PROGRESS),
        (Allocation(2), Status.READY),
        (Allocation(3), Status.READY),
        (Allocation(1, INIT_FAILURE), Status.FAILED),
        (Allocation(2, INIT_FAILURE), Status.READY),
    ],
)
def test_how_a_request_for_two_stands(allocation, status):
    """Ready with as many, else failed if that is known, else in progress."""
    assert allocation.status(2) is status


@pytest.mark.parametrize(
    ("qualifier", "configured", "is_refused"),
    [
        ("1", [], False),
        ("live", [], False),
        ("live", ["live"], False),
        ("live", ["2"], False),
        ("live", ["1"], True),
        ("1", ["live"], True),
        ("2", ["live"], False),
    ],
)
def test_a_version_and_its_alias_exclude_each_other(qualifier, configured, is_refused):
    """Whichever comes first."""
    aliases = {"live": "1"}
    if not is_refused:
        assert check_qualifier(qualifier, VERSION, configured, aliases) is None
        return
    with pytest.raises(CallerError) as refused:
        check_qualifier(qualifier, VERSION, configured, aliases)
    assert (refused.value.code, refused.value.status) == ("ResourceConflictException", 409)


def test_snapstart_excludes_it():
    """A version has the one or the other."""
    with pytest.raises(CallerError, match="SnapStart"):
        check_qualifier("1", replace(VERSION, snap_start=True), [], {})


def test_more_than_there_is_is_told_as_that():
    """Whose fault it is, the service does not say of either error."""
    with pytest.raises(CallerError) as whole:
        check_amount(1_001, 0, 1_000)
    with pytest.raises(CallerError) as rest:
        check_amount(901, 0, 1_000)

    assert whole.value.message == (
        "Specified ConcurrentExecutions for function is greater than account's unreserved "
        "concurrency [1000]."
    )
    assert "below its minimum value of [100]" in rest.value.message
    assert whole.value.fields == rest.value.fields == {"Type": ""}


@given(st.integers(1, 2_000), st.integers(0, 2_000), st.integers(100, 5_000))
def test_a_hundred_are_left_for_the_rest(requested, of_others, limit):
    """No more than that is ever given away."""
    fits = requested + of_others <= limit - 100
    try:
        check_amount(requested, of_others, limit)
    except CallerError:
        assert not fits
    else:
        assert fits


def test_no_more_are_begun_than_are_missing():
    """And not too many at once."""
    provision = Provision()
    provision.want(20)
    first = provision.to_start(0.0)
    provision.starting += first

    assert 0 < first < 20
    assert provision.to_start(0.0) == 0


def test_a_failure_is_tried_again_later():
    """Or at once if another number is wanted."""
    provision = Provision()
    provision.want(1)
    provision.fail(100.0)

    assert provision.allocation.failure == INIT_FAILURE
    assert provision.to_start(101.0) == 0
    assert provision.to_start(1_000.0) == 1
    provision.want(2)
    assert (provision.to_start(101.0), provision.allocation.failure) == (2, "")


class Ahead:
    """An initialised environment that takes a while to end, as those with extensions do."""

    ended = ""
    created = 10.0

    def stop(self, reason):
        self.ended = reason


@pytest.fixture
def pool():
    """Three that are wanted, and are there."""
    plan = SimpleNamespace(function=VERSION)
    pool = Pool(plan, lambda _pool: None, ManualClock())
    pool.provision.want(3)
    for _ in range(3):
        environment = Ahead()
        pool.idle_ahead[environment] = None
        pool.provision.succeed(environment)
    return pool


def test_what_ends_is_not_one_too_many_any_more(pool):
    """However long it takes to end: the others stay."""
    all_three = list(pool.idle_ahead)
    pool.provision.want(2)

    pool.shed_ahead(0.0)
    pool.shed_ahead(0.0)

    assert [bool(each.ended) for each in all_three] == [True, False, False]
    assert pool.provision.allocation.allocated == 2


def test_old_ones_are_replaced_one_by_one(pool):
    """The next ends when another has taken the place of the last."""
    all_three = list(pool.idle_ahead)

    pool.shed_ahead(11.0)
    pool.shed_ahead(11.0)
    ended = [each.ended for each in all_three]
    fresh = Ahead()
    fresh.created = 12.0
    pool.provision.succeed(fresh)
    pool.shed_ahead(11.0)

    assert ended == ["old age", "", ""]
    assert [each.ended for each in all_three] == ["old age", "old age", ""]
