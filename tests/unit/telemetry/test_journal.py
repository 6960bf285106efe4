"""The journal: what was written is read back up to where the file ends."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emberbox.model.log_events import StreamKey, slices
from emberbox.telemetry.journal import Journal

ONE = StreamKey("1", "r", "g", "one")
TWO = StreamKey("1", "r", "g", "zwei é")


def parts_of(*turns):
    return [part for key, events in turns for part in slices(key, events)]


def test_a_segment_gives_back_its_slices(tmp_path):
    """Replay gives the slices of all streams in the order they were written."""
    journal = Journal(tmp_path / "j")
    first = parts_of((ONE, [(1, b"a"), (2, b"b")]), (TWO, []))
    second = parts_of((TWO, [(3, b"")]))

    journal.write(first)
    journal.write(second)
    number = journal.finish()

    assert journal.replay(number) == first + second


def test_each_segment_stands_alone(tmp_path):
    """A later segment needs none of the earlier ones."""
    journal = Journal(tmp_path / "j")
    journal.write(parts_of((ONE, [(1, b"a")])))
    first = journal.finish()
    journal.write(parts_of((ONE, [(2, b"b")])))
    second = journal.finish()

    journal.discard(first)

    assert journal.segments() == [second]
    assert journal.replay(second) == parts_of((ONE, [(2, b"b")]))


def test_new_segments_are_numbered_above_all_that_exist(tmp_path):
    """Neither a covered number nor that of a file is used again."""
    journal = Journal(tmp_path / "j")
    journal.begin_after(7)
    journal.write(parts_of((ONE, [(1, b"a")])))
    journal.close()

    again = Journal(tmp_path / "j")
    again.begin_after(3)

    assert again.segments() == [8]
    assert again.current == 9


def test_a_damaged_record_ends_its_segment(tmp_path):
    """A changed byte is noticed, and what stands before it is kept."""
    journal = Journal(tmp_path / "j")
    journal.write(parts_of((ONE, [(1, b"a")])))
    journal.write(parts_of((ONE, [(2, b"bbbb")])))
    number = journal.finish()
    path = next((tmp_path / "j").iterdir())
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)

    assert journal.replay(number) == parts_of((ONE, [(1, b"a")]))


def test_files_are_for_their_owner_only(tmp_path):
    """Logs are nobody else's business."""
    journal = Journal(tmp_path / "j")
    journal.write(parts_of((ONE, [(1, b"a")])))
    journal.close()

    assert (tmp_path / "j").stat().st_mode & 0o777 == 0o700
    assert next((tmp_path / "j").iterdir()).stat().st_mode & 0o777 == 0o600


def test_a_journal_without_its_folder_says_so(tmp_path):
    """Writing raises OSError, which the caller answers."""
    journal = Journal(tmp_path / "j")
    (tmp_path / "j").rmdir()

    with pytest.raises(OSError, match="j"):
        journal.write(parts_of((ONE, [(1, b"a")])))


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(0, 10_000))
def test_a_segment_cut_at_any_byte_gives_a_prefix(tmp_path, end):
    """Of a torn segment all whole records are read and nothing else."""
    journal = Journal(tmp_path / "torn")
    turns = [parts_of((ONE, [(i, b"x" * i)]), (TWO, [(i, b"y")])) for i in range(6)]
    for turn in turns:
        journal.write(turn)
    number = journal.finish()
    path = tmp_path / "torn" / f"{number:012d}.journal"
    content = path.read_bytes()
    path.write_bytes(content[: end % (len(content) + 1)])

    found = journal.replay(number)

    path.unlink()
    everything = [part for turn in turns for part in turn]
    assert found == everything[: len(found)]
