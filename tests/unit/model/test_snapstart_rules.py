"""What a snapshot, or the want of one, makes of a version."""

from dataclasses import replace

import pytest

from emberbox.errors import CallerError
from emberbox.model.configuration import SupersededError
from emberbox.model.function import Logging, State
from emberbox.model.initialization import Initialization, init_timeout_s
from emberbox.model.snapstart import Optimization, check_snap_start, not_ready, optimized
from specimens import function_version

PENDING = function_version(
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
    snap_start=True,
)


def test_with_a_snapshot_the_version_is_active_and_optimized():
    """And nothing is to be explained."""
    after = optimized(PENDING, "one", "two", Optimization())

    assert (after.state, after.snap_optimized) == (State.ACTIVE, True)
    assert (after.state_reason, after.state_reason_code) == (None, None)
    assert after.revision_id == "two"


def test_without_one_it_is_active_and_says_why():
    """Its environments run INIT."""
    after = optimized(PENDING, "one", "two", Optimization("it has 2 threads"))

    assert (after.state, after.snap_optimized) == (State.ACTIVE, False)
    assert after.state_reason == "SnapStart: environments run INIT because it has 2 threads"


@pytest.mark.parametrize(
    ("error_type", "code"),
    [
        ("Sandbox.Timedout", "FunctionError.InitTimeout"),
        ("Runtime.OutOfMemory", "FunctionError.InitResourceExhausted"),
        ("Runtime.ImportModuleError", "FunctionError.RuntimeInitError"),
        ("Runtime.BeforeSnapshotError", "FunctionError.RuntimeInitError"),
    ],
)
def test_a_failed_initialisation_fails_the_version(error_type, code):
    """With the code that AWS has for it."""
    after = optimized(PENDING, "one", "two", Optimization("It failed.", error_type))

    assert (after.state, after.state_reason_code) == (State.FAILED, code)
    assert (after.state_reason, after.snap_optimized) == ("It failed.", False)


def test_a_version_that_is_gone_stays_gone():
    """Whatever became of its snapshot."""
    with pytest.raises(SupersededError):
        optimized(PENDING, "other", "two", Optimization())


def test_a_large_tmp_does_not_go_together_with_snapstart():
    """512 MB is the most."""
    check_snap_start(replace(PENDING, ephemeral_mb=512))
    check_snap_start(replace(PENDING, ephemeral_mb=513, snap_start=False))

    with pytest.raises(CallerError) as refused:
        check_snap_start(replace(PENDING, ephemeral_mb=513))

    assert refused.value.code == "InvalidParameterValueException"


def test_only_published_versions_have_snapshots():
    """`$LATEST` never has one."""
    assert PENDING.is_snapshot
    assert not replace(PENDING, version="$LATEST").is_snapshot
    assert not replace(PENDING, snap_start=False).is_snapshot


def test_who_is_too_early_is_told_so():
    """By the error that clients try again after."""
    error = not_ready()

    assert (error.code, error.status) == ("SnapStartNotReadyException", 409)


@pytest.mark.parametrize(
    ("initialization", "timeout_s", "limit_s"),
    [
        (Initialization.ON_DEMAND, 900, 10),
        (Initialization.SNAP_START, 3, 130),
        (Initialization.PROVISIONED, 131, 131),
        (Initialization.PROVISIONED, 900, 900),
    ],
)
def test_init_ahead_of_need_may_take_longer(initialization, timeout_s, limit_s):
    """130 seconds, or the timeout if that is more."""
    assert init_timeout_s(initialization, timeout_s) == limit_s
