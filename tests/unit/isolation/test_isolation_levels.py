"""Which level of isolation a host gets, and what is refused."""

import itertools

import pytest

from emberbox.errors import PlatformError
from emberbox.isolation.finding import may_give_users
from emberbox.isolation.levels import FULL, TABLE, Gives, Ground, Level, best, choose

GROUPS = frozenset({Gives.MEMORY, Gives.CPU, Gives.PROCESSES, Gives.FREEZING})


def ground(**changes):
    found = {
        "root": True,
        "owns_users": True,
        "no_namespaces": "",
        "groups": "v2",
        "can": GROUPS | {Gives.DISK},
        "landlock": 6,
    }
    return Ground(**{**found, **changes})


HOSTS = {
    Level.ROOT_V2: ground(),
    Level.ROOT_V1: ground(groups="hybrid"),
    Level.DELEGATED: ground(root=False, owns_users=False, can=GROUPS),
    Level.WATCHED: ground(root=False, owns_users=False, groups="none", can=frozenset()),
    Level.CONFINED: ground(no_namespaces="user namespace: refused"),
}


@pytest.mark.parametrize("level", HOSTS)
def test_each_kind_of_host_has_its_level(level):
    """Without a wish the best there is."""
    isolation = choose(None, HOSTS[level])

    assert isolation.level is level is best(HOSTS[level])
    assert isolation.gives == TABLE[level]
    assert bool(isolation.why_not_more) == (level not in FULL)


@pytest.mark.parametrize("level", HOSTS)
def test_strict_is_a_full_level_or_nothing(level):
    """What is less than full is refused, and the error says what is missing."""
    if level in FULL:
        assert choose("strict", HOSTS[level]).is_full
        return
    with pytest.raises(
        PlatformError, match=f"only {level.value}, without: .*host user of its own|CPU"
    ):
        choose("strict", HOSTS[level])


def test_strict_minds_each_missing_limit():
    """With a controller missing it is not full; a missing disk for /tmp does not count."""
    without_cpu = ground(groups="v1", can=GROUPS - {Gives.CPU})

    assert choose(None, without_cpu).lacks == {Gives.CPU, Gives.DISK}
    with pytest.raises(PlatformError, match="processor time limited"):
        choose("strict", without_cpu)
    assert choose("strict", ground(can=GROUPS)).is_full


@pytest.mark.parametrize("found", HOSTS)
@pytest.mark.parametrize("asked", list(Level))
def test_a_name_is_that_level_or_an_error(found, asked):
    """Less than the host has can be asked for by name, more cannot."""
    order = list(Level)
    possible = asked is found or (
        asked in {Level.WATCHED, Level.CONFINED, Level.PROCESS}
        and order.index(asked) >= order.index(found)
    )

    if possible:
        assert choose(asked.value, HOSTS[found]).level is asked
    else:
        with pytest.raises(PlatformError, match=f"this host gives {found.value}"):
            choose(asked.value, HOSTS[found])


def test_nobody_gets_process_unasked():
    """Without namespaces, groups and Landlock it is still confined."""
    worst = ground(
        root=False, owns_users=False, no_namespaces="x", groups="none", can=frozenset(), landlock=0
    )

    isolation = choose(None, worst)

    assert isolation.level is Level.CONFINED
    assert isolation.lacks == {Gives.FILES}


def test_levels_give_less_and_less():
    """Going down, nothing that protects is gained but the substitute for a lost limit."""
    substitutes = {Gives.MEMORY_WATCHED}
    levels = list(Level)

    for better, worse in itertools.pairwise(levels):
        assert TABLE[worse] - substitutes <= TABLE[better]


def test_users_can_be_given_by_root_of_the_host_only():
    """It takes the privilege, and a map that has the numbers."""
    whole, one = "         0          0 4294967295\n", "         0       1000          1\n"
    able, unable = "CapEff:\t000001ffffffffff\n", "CapEff:\t0000000000000000\n"

    assert may_give_users(whole, able)
    assert not may_give_users(whole, unable)
    assert not may_give_users(one, able)
