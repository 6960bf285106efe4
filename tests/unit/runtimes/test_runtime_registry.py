"""The runtime registry agrees with AWS's model and chooses interpreters sensibly."""

import json
from pathlib import Path

import botocore
from hypothesis import given
from hypothesis import strategies as st

from emberbox.runtimes.registry import (
    RUNTIMES,
    Family,
    Phase,
    choose_version,
    runtime_version_arn,
)

VERSIONS = st.tuples(st.just(3), st.integers(5, 18))


def test_every_identifier_of_the_model_is_known() -> None:
    """What AWS's model lists is in the registry, and nothing else, but for `custom`."""
    folder = Path(botocore.__file__).parent / "data" / "lambda" / "2015-03-31"
    [file] = folder.glob("service-2.json*")
    text = file.read_bytes()
    if file.suffix == ".gz":
        import gzip

        text = gzip.decompress(text)

    listed = json.loads(text)["shapes"]["Runtime"]["enum"]

    assert {*RUNTIMES, "custom"} == set(listed)


def test_retired_runtimes_and_only_they_have_a_successor_that_can_be_chosen() -> None:
    """The proposal in the refusal of a retired runtime is one that is accepted."""
    for runtime in RUNTIMES.values():
        assert (runtime.phase is Phase.RETIRED) == (runtime.successor is not None)
        if runtime.successor is not None:
            assert RUNTIMES[runtime.successor].can_be_chosen


def test_python_runtimes_tell_their_version() -> None:
    """A Python runtime has a version to look for on the host, others have none."""
    assert RUNTIMES["python3.12"].python_version == (3, 12)
    assert RUNTIMES["nodejs22.x"].python_version is None
    assert all(
        (runtime.python_version is not None) == (runtime.family is Family.PYTHON)
        for runtime in RUNTIMES.values()
    )


def test_runtime_version_arns_have_the_form_of_awss() -> None:
    """The ARN ends in 64 hexadecimal digits that depend on the identifier alone."""
    here = runtime_version_arn("eu-west-1", "python3.12")
    there = runtime_version_arn("us-east-1", "python3.12")

    prefix, digest = here.rsplit(":", 1)
    assert prefix == "arn:aws:lambda:eu-west-1::runtime"
    assert len(digest) == 64
    assert int(digest, 16)
    assert there.endswith(digest)
    assert runtime_version_arn("eu-west-1", "python3.13") != here


@given(VERSIONS, st.sets(VERSIONS), VERSIONS)
def test_the_version_chosen_is_the_nearest_usable_one(
    wanted: tuple[int, int], installed: set[tuple[int, int]], minimum: tuple[int, int]
) -> None:
    """Exact before newer before older, nearest first, never below the minimum."""
    chosen = choose_version(wanted, installed, minimum)

    usable = {version for version in installed if version >= minimum}
    if chosen is None:
        assert not usable
    else:
        assert chosen in usable
        assert chosen == wanted or wanted not in usable
        assert not any(wanted <= other < chosen for other in usable)
        if chosen < wanted:
            assert chosen == max(usable)


def test_nothing_below_python_3_9_is_chosen_by_default() -> None:
    """An old Python that is installed does not count."""
    assert choose_version((3, 8), {(3, 8)}) is None
    assert choose_version((3, 8), {(3, 8), (3, 9)}) == (3, 9)
