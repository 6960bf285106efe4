"""Functions become Inactive and come back, over a real store and real packages."""

import asyncio
import shutil

import pytest

DAY_S = 86_400.0


@pytest.fixture
def sweep(api):
    """Looks for what was not used for a day, `now` seconds after everything was last used."""

    async def look(now, kept=()):
        await api.service.idling.sweep(lambda _place: 0.0, kept, now, DAY_S)
        return await api("GetFunctionConfiguration", FunctionName="f")

    return look


async def woken(api, version="$LATEST"):
    """Wake a version and wait until that has come to its end."""
    api.service.idling.wake(api.catalog.version(api.key(), version))
    await api.service.close()
    return await api("GetFunctionConfiguration", FunctionName="f", Qualifier=version)


async def test_a_function_that_was_idle_for_long_enough_is_inactive(api, sweep):
    """Not a moment before."""
    before = await api.created()

    assert (await sweep(DAY_S - 1))["State"] == "Active"
    after = await sweep(DAY_S)
    assert (after["State"], after["StateReasonCode"]) == ("Inactive", "Idle")
    assert after["LastUpdateStatus"] == "Successful"
    assert after["RevisionId"] != before["RevisionId"]
    assert after["LastModified"] == before["LastModified"]


async def test_each_version_is_idle_by_itself(api, sweep):
    """One that is kept stays Active."""
    await api.created()
    await api("PublishVersion", FunctionName="f")

    assert (await sweep(DAY_S, {(*api.key(), "1")}))["State"] == "Inactive"
    one = await api("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    assert one["State"] == "Active"


async def test_what_is_woken_is_active_again(api, sweep):
    """With nothing left to explain."""
    await api.created()
    await sweep(DAY_S)

    after = await woken(api)
    assert after["State"] == "Active"
    assert not {"StateReason", "StateReasonCode"} & after.keys()


async def test_waking_twice_is_waking_once(api, sweep):
    """Two invocations find it Inactive at the same time."""
    await api.created()
    await sweep(DAY_S)
    function = api.catalog.version(api.key(), "$LATEST")
    api.service.idling.wake(function)
    api.service.idling.wake(function)
    await api.service.close()
    back = api.catalog.version(api.key(), "$LATEST")
    api.service.idling.wake(function)
    await api.service.close()

    assert api.catalog.version(api.key(), "$LATEST") == back


@pytest.mark.parametrize(
    ("operation", "changed"),
    [
        ("UpdateFunctionConfiguration", {"Timeout": 9}),
        ("UpdateFunctionCode", {"DryRun": False}),
    ],
)
async def test_an_inactive_function_can_be_updated_and_comes_back_by_that(
    api, sweep, operation, changed
):
    """AWS updates functions that are Active or Inactive."""
    await api.created()
    await sweep(DAY_S)
    code = {"ZipFile": api.zipped("x = 1")} if operation == "UpdateFunctionCode" else {}

    begun = await api(operation, FunctionName="f", **changed, **code)
    assert (begun["State"], begun["StateReasonCode"]) == ("Pending", "Restoring")
    await api.service.close()
    after = await api("GetFunctionConfiguration", FunctionName="f")
    assert (after["State"], after["LastUpdateStatus"]) == ("Active", "Successful")


async def test_the_code_of_inactive_functions_goes_and_is_unpacked_again(api, sweep):
    """The package itself stays; a second look removes what the first one found."""
    await api.created()
    package_id = api.catalog.version(api.key(), "$LATEST").package_id
    tree = await api.packages.ensure_tree(package_id)
    await sweep(DAY_S)

    await api.service.collect_packages(())
    assert tree.exists()
    await api.service.collect_packages(())
    assert not tree.exists()
    assert api.packages.zip_path(package_id).exists()
    assert (await woken(api))["State"] == "Active"
    assert (tree / "app.py").read_text() == "pass"


@pytest.mark.parametrize("another", ["a function", "an environment"])
async def test_code_that_something_else_uses_stays(api, sweep, another):
    """Functions may have the same package, environments may still have it mounted."""
    await api.created()
    kept, mounted = set(), set()
    package_id = api.catalog.version(api.key(), "$LATEST").package_id
    if another == "a function":
        await api.created("g")
        kept.add((*api.key("g"), "$LATEST"))
    else:
        mounted.add(package_id)
    await sweep(DAY_S, kept)
    for _ in range(3):
        await api.service.collect_packages(mounted)

    assert (api.packages.zip_path(package_id).parent.parent / "trees" / package_id).exists()


async def test_what_was_woken_between_two_looks_keeps_its_code(api, sweep):
    """It is not asleep any more."""
    await api.created()
    package_id = api.catalog.version(api.key(), "$LATEST").package_id
    tree = await api.packages.ensure_tree(package_id)
    await sweep(DAY_S)
    await api.service.collect_packages(())
    await woken(api)
    await api.service.collect_packages(())

    assert tree.exists()


async def test_a_function_whose_code_is_lost_is_inactive_again(api, sweep):
    """And says why."""
    await api.created()
    package_id = api.catalog.version(api.key(), "$LATEST").package_id
    await sweep(DAY_S)
    api.packages.zip_path(package_id).unlink()
    shutil.rmtree(await api.packages.ensure_tree(package_id))

    after = await woken(api)
    assert (after["State"], after["StateReasonCode"]) == ("Inactive", "InternalError")
    assert package_id in after["StateReason"]


async def test_a_version_of_an_inactive_function_has_its_code(api, sweep):
    """It is Pending until that is unpacked; the function stays Inactive."""
    await api.created()
    package_id = api.catalog.version(api.key(), "$LATEST").package_id
    tree = await api.packages.ensure_tree(package_id)
    await sweep(DAY_S)
    await asyncio.to_thread(shutil.rmtree, tree)

    version = await api("PublishVersion", FunctionName="f")
    await api.service.close()
    shown = await api("GetFunctionConfiguration", FunctionName="f", Qualifier="1")
    assert (version["State"], shown["State"]) == ("Pending", "Active")
    assert tree.exists()
    assert (await api("GetFunctionConfiguration", FunctionName="f"))["State"] == "Inactive"
