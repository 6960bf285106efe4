"""The log store: groups, streams, reading in pages, expiry."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emberbox.model.log_events import SPAN_MS, Cut, StreamKey, slices
from emberbox.storage import log_reading
from emberbox.storage.database import Database
from emberbox.storage.log_reading import ReadRequest
from emberbox.storage.log_records import (
    AlreadyThereError,
    GroupKey,
    GroupQuery,
    MissingGroupError,
    MissingStreamError,
    ProtectedGroupError,
    StreamQuery,
    TooManyTagsError,
)
from emberbox.storage.logs import DAY_MS, LogStore

GROUP = GroupKey("123456789012", "us-east-1", "/aws/lambda/f")
NOW_MS = 1_700_000_000_000
_names = itertools.count()


@pytest.fixture
async def store(tmp_path):
    database = await Database.open(tmp_path / "logs.db", "logs", durable=False)
    yield LogStore(database)
    await database.close()


async def write(store, *turns, group=GROUP, now_ms=NOW_MS):
    """Store turns of (stream, events)."""
    for stream, events in turns:
        await store.append(slices(StreamKey(*group, stream), events), 0, now_ms)


async def read_all(store, group=GROUP, now_ms=NOW_MS, **request):
    """All events by pages, as messages."""
    wanted = ReadRequest(**{"limit": 10_000} | request)
    found = []
    while True:
        page = await store.read(group, wanted, now_ms)
        assert len(page.events) <= wanted.limit
        found += page.events
        if page.rest is None:
            return found
        edge = "high" if wanted.newest_first else "low"
        assert getattr(wanted, edge) != page.rest
        wanted = ReadRequest(**{**request, "limit": wanted.limit, edge: page.rest})


async def test_a_group_is_there_once(store):
    """A second group of the name is refused; another region's is another group."""
    await store.create_group(GROUP, NOW_MS, tags={"a": "b"})
    await store.create_group(GROUP._replace(region="eu-west-1"), NOW_MS)

    with pytest.raises(AlreadyThereError):
        await store.create_group(GROUP, NOW_MS)

    group = await store.group(GROUP)
    assert (group.created_ms, group.tags, group.retention_days) == (NOW_MS, {"a": "b"}, None)


async def test_groups_are_listed_by_name_after_a_name(store):
    """Prefix, pattern, class and limit choose; deleting the last one seen changes nothing."""
    for name in ("b", "a/x", "a/y", "c"):
        await store.create_group(
            GROUP._replace(name=name), NOW_MS, group_class="DELIVERY" if name == "c" else "STANDARD"
        )
    await store.delete_group(GROUP._replace(name="a/x"))
    query = {"account": GROUP.account, "region": GROUP.region, "limit": 10}

    async def names(**more):
        return [g.key.name for g in await store.groups(GroupQuery(**query | more))]

    assert await names() == ["a/y", "b", "c"]
    assert await names(after="a/x", limit=1) == ["a/y"]
    assert await names(prefix="a/") == ["a/y"]
    assert await names(pattern="/y") == ["a/y"]
    assert await names(classes=("DELIVERY",)) == ["c"]
    assert await names(account="999999999999") == []


async def test_a_protected_group_stays(store):
    """Neither the group nor its streams can be deleted."""
    await store.create_group(GROUP, NOW_MS, is_protected=True)
    await store.create_stream(GROUP, "s", NOW_MS)

    with pytest.raises(ProtectedGroupError):
        await store.delete_group(GROUP)
    with pytest.raises(ProtectedGroupError):
        await store.delete_stream(GROUP, "s")


async def test_what_is_missing_raises(store):
    """Group and stream are told apart."""
    with pytest.raises(MissingGroupError):
        await store.read(GROUP, ReadRequest(limit=1), NOW_MS)
    with pytest.raises(MissingGroupError):
        await store.retain(GROUP, 3)
    await store.create_group(GROUP, NOW_MS)
    with pytest.raises(MissingStreamError):
        await store.read(GROUP, ReadRequest(limit=1, streams=("s",), single=True), NOW_MS)
    with pytest.raises(MissingStreamError):
        await store.put(GROUP, "s", [], NOW_MS)
    with pytest.raises(MissingStreamError):
        await store.delete_stream(GROUP, "s")


async def test_tags_change_together(store):
    """Too many tags change none."""
    await store.create_group(GROUP, NOW_MS, tags={"a": "1", "b": "2"})

    await store.tag(GROUP, {"c": "3"}, ["a"], 2)
    with pytest.raises(TooManyTagsError):
        await store.tag(GROUP, {"d": "4"}, ["x"], 2)

    assert (await store.group(GROUP)).tags == {"b": "2", "c": "3"}


async def test_streams_are_listed_by_name_and_by_time(store):
    """Both orders go both ways and go on after a stream."""
    await write(store, ("a", [(30, b"x")]), ("b", []), ("c", [(10, b"x"), (20, b"y")]))

    async def names(**query):
        return [
            s.name
            for s in await store.streams(
                GROUP, StreamQuery(limit=9) if not query else StreamQuery(**{"limit": 9} | query)
            )
        ]

    assert await names() == ["a", "b", "c"]
    assert await names(descending=True) == ["c", "b", "a"]
    assert await names(prefix="b") == ["b"]
    assert await names(after=(0, "a"), limit=1) == ["b"]
    assert await names(by_time=True) == ["b", "c", "a"]
    assert await names(by_time=True, descending=True) == ["a", "c", "b"]
    assert await names(by_time=True, descending=True, after=(20, "c")) == ["b"]
    c = (await store.streams(GROUP, StreamQuery(limit=1, prefix="c")))[0]
    assert (c.first_event_ms, c.last_event_ms, c.last_ingested_ms) == (10, 20, NOW_MS)


async def test_a_deleted_stream_takes_its_events_and_bytes(store):
    """The group's other events and their size remain; the sweep frees the space."""
    await write(store, ("a", [(1, b"12345")]), ("b", [(2, b"123")]))
    assert (await store.group(GROUP)).size_bytes == 5 + 3 + 2 * 26

    await store.delete_stream(GROUP, "a")

    assert [e.message for e in await read_all(store)] == ["123"]
    assert (await store.group(GROUP)).size_bytes == 3 + 26
    assert await store.expire(NOW_MS / 1000) > 0
    assert await store.expire(NOW_MS / 1000) == 0
    assert [e.message for e in await read_all(store)] == ["123"]


async def test_a_new_group_of_the_name_has_none_of_the_old_events(store):
    """Not even before the sweep."""
    await write(store, ("a", [(1, b"old")]))
    await store.delete_group(GROUP)
    await write(store, ("a", [(2, b"new")]))

    assert [e.message for e in await read_all(store)] == ["new"]
    await store.expire(NOW_MS / 1000)
    assert [e.message for e in await read_all(store)] == ["new"]


async def test_retention_hides_and_then_removes(store):
    """What is too old is not read, swept or not; sizes and first times follow the sweep."""
    old, young = NOW_MS - 2 * DAY_MS, NOW_MS - DAY_MS // 2
    await write(store, ("a", [(old, b"old")]), ("a", [(young, b"young")]))
    await store.retain(GROUP, 1)

    before = await read_all(store)
    assert await store.expire(NOW_MS / 1000) == 1
    await store.retain(GROUP, None)
    after = await read_all(store)

    assert [e.message for e in before] == [e.message for e in after] == ["young"]
    assert (await store.group(GROUP)).size_bytes == 5 + 26
    assert (await store.streams(GROUP, StreamQuery(limit=1)))[0].first_event_ms == young


async def test_a_page_ends_at_the_budget_and_goes_on(store, monkeypatch):
    """A search that finds nothing comes back in steps, each of which gets further."""
    monkeypatch.setattr(log_reading, "_BUDGET_BYTES", 1)
    await write(store, *(("a", [(i * 10, b"x")]) for i in range(10)), ("b", [(95, b"found")]))

    first = await store.read(GROUP, ReadRequest(limit=5, matches=lambda m: m == "found"), NOW_MS)

    assert not first.events
    assert first.rest is not None
    found = await read_all(store, limit=5, matches=lambda m: m == "found")
    assert [e.message for e in found] == ["found"]


async def test_a_page_holds_a_megabyte(store):
    """More than that is on the next page."""
    await write(store, ("a", [(i, b"x" * 300_000) for i in range(8)]))

    page = await store.read(GROUP, ReadRequest(limit=10_000), NOW_MS)

    assert len(page.events) == 4
    assert len(await read_all(store)) == 8


turns = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.lists(st.integers(0, 4 * SPAN_MS) | st.integers(0, 5), max_size=5),
    ),
    max_size=8,
)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    turns=turns,
    how=st.fixed_dictionaries(
        {
            "limit": st.integers(1, 7),
            "newest_first": st.booleans(),
            "only": st.sampled_from(["all", "single", "names", "prefix"]),
            "bounds": st.tuples(st.integers(0, 4 * SPAN_MS), st.integers(0, 4 * SPAN_MS))
            | st.none(),
            "budget": st.sampled_from([0, 100, 10**9]),
        }
    ),
)
async def test_pages_lose_and_repeat_nothing(store, turns, how):
    """However events overlap and pages are cut, together they are what was asked for, in order."""
    newest_first, only, bounds = how["newest_first"], how["only"], how["bounds"]
    group = GROUP._replace(name=f"g{next(_names)}")
    numbers = itertools.count()
    expected = []
    await write(store, *((s, []) for s in "abc"), group=group)
    for stream, times in turns:
        events = [(when, b"%d" % next(numbers)) for when in times]
        await write(store, (stream, events), group=group)
        expected += [(when, int(text), stream) for when, text in sorted(events, key=lambda e: e[0])]
    request = {"limit": how["limit"], "newest_first": newest_first}
    if bounds:
        request |= {"low": Cut.before(bounds[0]), "high": Cut.before(bounds[1])}
        expected = [e for e in expected if bounds[0] <= e[0] < bounds[1]]
    if only == "single":
        request |= {"streams": ("a",), "single": True}
    elif only == "names":
        request |= {"streams": ("a", "c")}
    elif only == "prefix":
        request |= {"prefix": "b"}
    chosen = {"all": "abc", "single": "a", "names": "ac", "prefix": "b"}[only]

    saved, log_reading._BUDGET_BYTES = log_reading._BUDGET_BYTES, how["budget"]
    try:
        found = await read_all(store, group, **request)
    finally:
        log_reading._BUDGET_BYTES = saved

    wanted = sorted((when, number) for when, number, stream in expected if stream in chosen)
    got = [(e.timestamp_ms, int(e.message)) for e in found]
    assert sorted(got) == wanted
    cuts = [e.cut for e in found]
    assert cuts == sorted(cuts, reverse=newest_first)
