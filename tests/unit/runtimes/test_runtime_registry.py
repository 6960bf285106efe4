"""The runtime registry agrees with AWS's model and chooses interpreters sensibly."""

import json
from pathlib import Path

import botocore
from hypothesis import given
from hypothesis import strategies as st

from emberbox.runtimes.registry import (
    RUNTIMES,
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


def test_runtimes_tell_their_version_as_numbers() -> None:
    """What can be compared with an installed version; OS-only runtimes have none."""
    assert RUNTIMES["python3.12"].number == (3, 12)
    assert RUNTIMES["nodejs22.x"].number == (22,)
    assert RUNTIMES["java8.al2"].number == (8,)
    assert RUNTIMES["provided.al2023"].number == (0,)


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
