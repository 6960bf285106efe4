"""Which program runs a function on a host, and what is said when there is none."""

import pytest

from emberbox.errors import CallerError
from emberbox.runtimes.host import LANGUAGES, HostRuntimes
from emberbox.runtimes.program import Language, Program
from emberbox.runtimes.registry import RUNTIMES, Family, Phase


def host(tmp_path, versions, *, strict=False, minimum=(0,)):
    """A host that has these versions of Ruby, and Python for the zygotes."""

    def find(search):
        for version in versions:
            yield Program(f"ruby{version}", Family.RUBY, version, search.zygote)

    ruby = Language(Family.RUBY, "apt install it", find, minimum=minimum)
    languages = [ruby, *(each for each in LANGUAGES if each.family is not Family.RUBY)]
    return HostRuntimes(tmp_path, tmp_path, languages, strict=strict)


def test_another_version_is_said_aloud(tmp_path):
    """The nearest newer version runs, and the notice names both."""
    runtimes = host(tmp_path, [(3, 2), (3, 4), (4, 0)])
    wanted = RUNTIMES["ruby3.3"]

    program = runtimes.choose(wanted)

    assert program.version == (3, 4)
    assert runtimes.notice(wanted, program) == (
        "ruby3.3 is not installed on this host: running on ruby(3, 4)"
    )
    assert runtimes.notice(RUNTIMES["ruby3.4"], program) == ""


def test_strict_runtimes_refuse_another_version(tmp_path):
    """The error says which one would run without."""
    runtimes = host(tmp_path, [(3, 4)], strict=True)

    assert runtimes.choose(RUNTIMES["ruby3.4"]).version == (3, 4)
    with pytest.raises(CallerError, match=r"ruby3.3 is not installed .* run on ruby\(3, 4\)"):
        runtimes.choose(RUNTIMES["ruby3.3"])
    assert runtimes.choose(RUNTIMES["provided.al2023"]).name == "provided"


def test_what_is_missing_is_named_with_the_way_to_get_it(tmp_path):
    """An invocation is answered with what to install."""
    with pytest.raises(CallerError, match=r"ruby3.4 needs Ruby 3.4, .*: apt install it") as missing:
        host(tmp_path, []).choose(RUNTIMES["ruby3.4"])

    assert (missing.value.code, missing.value.status) == ("InvalidRuntimeException", 502)


def test_versions_below_the_least_do_not_count(tmp_path):
    """A language says from which version on it can be used."""
    runtimes = host(tmp_path, [(2, 7)], minimum=(3, 0))

    with pytest.raises(CallerError):
        runtimes.choose(RUNTIMES["ruby3.2"])


def test_what_was_missing_is_looked_for_again(tmp_path):
    """Installing a language needs no restart of the server."""
    versions = []
    runtimes = host(tmp_path, versions)
    with pytest.raises(CallerError):
        runtimes.choose(RUNTIMES["ruby3.4"])

    versions.append((3, 4))

    assert runtimes.choose(RUNTIMES["ruby3.4"]).version == (3, 4)


@pytest.mark.parametrize(
    "runtime",
    [r for r in RUNTIMES.values() if r.phase is not Phase.RETIRED],
)
def test_every_runtime_runs_or_says_what_is_missing(tmp_path, runtime):
    """There is a language for each identifier that a function may be created with."""
    runtimes = HostRuntimes(tmp_path, tmp_path, strict=False)

    if runtimes.programs(runtime.family):
        program = runtimes.choose(runtime)
        assert program.family is runtime.family
        assert program.command or program.entrypoints
        return
    with pytest.raises(CallerError) as missing:
        runtimes.choose(runtime)
    assert runtimes.language(runtime.family).advice in missing.value.message
