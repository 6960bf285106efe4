"""SnapStart of functions and of the versions published from them."""

import asyncio

import pytest

from emberbox.model.snapstart import Optimization

ON = {"ApplyOn": "PublishedVersions"}


@pytest.fixture
async def published(api):
    """Publishes version 1 with the outcome of its snapshot; what is answered at once, and later."""

    async def publish(outcome):
        may_end = asyncio.Event()

        async def optimize(_function):
            await may_end.wait()
            return outcome

        api.service.make_snapshots_by(optimize)
        await api.created(SnapStart=ON)
        at_once = await api("PublishVersion", FunctionName="f")
        may_end.set()
        return at_once, await api("GetFunctionConfiguration", FunctionName="f", Qualifier="1")

    return publish


async def test_latest_is_never_optimized(api):
    """It only says what applies to versions."""
    shown = await api.created(SnapStart=ON)

    assert shown["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}
    assert shown["State"] == "Active"


async def test_a_version_is_pending_until_it_has_its_snapshot(published):
    """Then it is Active and On."""
    at_once, later = await published(Optimization())

    assert (at_once["State"], at_once["StateReasonCode"]) == ("Pending", "Creating")
    assert at_once["SnapStart"]["OptimizationStatus"] == "Off"
    assert later["State"] == "Active"
    assert later["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    assert "StateReason" not in later


async def test_a_version_that_cannot_have_one_says_why(published):
    """It is Active all the same."""
    _, later = await published(Optimization("it has 2 threads"))

    assert (later["State"], later["SnapStart"]["OptimizationStatus"]) == ("Active", "Off")
    assert later["StateReason"].endswith("it has 2 threads")


async def test_a_version_whose_initialisation_fails_is_failed(published):
    """With AWS's code for it."""
    _, later = await published(Optimization("It failed.", "Runtime.ImportModuleError"))

    assert (later["State"], later["StateReason"]) == ("Failed", "It failed.")
    assert later["StateReasonCode"] == "FunctionError.RuntimeInitError"


async def test_nothing_new_gives_no_new_version(api, published):
    """Though the version has a snapshot and `$LATEST` has none."""
    await published(Optimization())

    again = await api("PublishVersion", FunctionName="f")

    assert again["Version"] == "1"


async def test_what_applies_can_be_changed(api):
    """Each way."""
    await api.created(SnapStart=ON)

    shown = await api(
        "UpdateFunctionConfiguration", FunctionName="f", SnapStart={"ApplyOn": "None"}
    )

    assert shown["SnapStart"]["ApplyOn"] == "None"


async def test_a_snapshot_that_a_dead_server_left_unmade_is_made(make_api):
    """The version is settled after the next start, which does not wait for it."""
    first = make_api()
    begun = asyncio.Event()

    async def never(_function):
        begun.set()
        await asyncio.Event().wait()

    first.service.make_snapshots_by(never)
    await first.created(SnapStart=ON)
    await first("PublishVersion", FunctionName="f")
    await begun.wait()
    await first.service.close()

    second = make_api()

    async def at_once(_function):
        return Optimization()

    second.service.make_snapshots_by(at_once)
    await second.store.load()
    await second.service.recover()
    shown = await second("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    await second.service.close()

    assert (shown["State"], shown["SnapStart"]["OptimizationStatus"]) == ("Active", "On")
