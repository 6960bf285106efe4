"""UpdateFunctionCode and UpdateFunctionConfiguration."""

import asyncio
from dataclasses import replace

import pytest

from emberbox.functions import changing
from emberbox.model.function import State, UpdateStatus

INVALID = "InvalidParameterValueException"
CODE = "UpdateFunctionCode"
SETTINGS = "UpdateFunctionConfiguration"


async def test_new_code_answers_in_progress_and_is_successful_soon(api):
    """The answer shows the new code; State stays Active all the time."""
    before = await api.created()
    api.clock.advance(1.5)

    answer = await api(CODE, FunctionName="f", ZipFile=api.zipped("other"))
    await api.service.close()

    assert answer["CodeSha256"] != before["CodeSha256"]
    assert answer["State"] == "Active"
    assert answer["LastUpdateStatus"] == "InProgress"
    assert answer["LastUpdateStatusReason"] == "The function is being created."
    assert answer["LastUpdateStatusReasonCode"] == "Creating"
    assert answer["LastModified"] == "2023-11-14T22:13:21.500+0000"
    after = await api("GetFunctionConfiguration", FunctionName="f")
    assert (after["State"], after["LastUpdateStatus"]) == ("Active", "Successful")
    assert "LastUpdateStatusReason" not in after
    assert after["CodeSha256"] == answer["CodeSha256"]
    assert len({each["RevisionId"] for each in (before, answer, after)}) == 3


async def test_new_code_is_unpacked_when_the_answer_comes(api):
    """The invoke path finds it at once."""
    await api.created()

    await api(CODE, FunctionName="f", ZipFile=api.zipped("other"))

    function = api.catalog.lookup(*api.key())
    tree = await api.packages.ensure_tree(function.package_id)
    assert (tree / "app.py").read_text() == "other"


async def test_new_code_may_come_with_an_architecture(api):
    """Without one it stays."""
    await api.created()

    answer = await api(CODE, FunctionName="f", ZipFile=api.zipped(), Architectures=["arm64"])
    await api.service.close()
    again = await api(CODE, FunctionName="f", ZipFile=api.zipped())

    assert answer["Architectures"] == again["Architectures"] == ["arm64"]


async def test_a_dry_run_changes_nothing(api):
    """It answers with what would come of it, and refuses what would be refused."""
    before = await api.created()

    answer = await api(CODE, FunctionName="f", ZipFile=api.zipped("other"), DryRun=True)
    error = await api.refusal(api(CODE, FunctionName="f", ZipFile=b"x", DryRun=True))

    assert answer["CodeSha256"] != before["CodeSha256"]
    assert answer["RevisionId"] == before["RevisionId"]
    assert error.code == INVALID
    assert await api("GetFunctionConfiguration", FunctionName="f") == before


async def test_settings_are_merged_by_presence(api):
    """What is not named stays as it is."""
    await api.created(
        Description="d",
        Timeout=9,
        Environment={"Variables": {"A2": "b"}},
        LoggingConfig={"LogGroup": "mine"},
    )

    answer = await api(SETTINGS, FunctionName="f", MemorySize=256, Description="")

    assert answer["MemorySize"] == 256
    assert answer["Description"] == ""
    assert answer["Timeout"] == 9
    assert answer["Environment"] == {"Variables": {"A2": "b"}}
    assert answer["LoggingConfig"]["LogGroup"] == "mine"
    assert answer["LastUpdateStatus"] == "InProgress"


async def test_all_settings_can_be_changed(api):
    """Also those that are structures."""
    await api.created()
    role = "arn:aws:iam::123456789012:role/other"

    answer = await api(
        SETTINGS,
        FunctionName="f",
        Role=role,
        Runtime="python3.13",
        Handler="x.y",
        Timeout=10,
        EphemeralStorage={"Size": 600},
        Environment={"Variables": {"KEY": "v"}},
        LoggingConfig={"LogFormat": "Text", "LogGroup": "mine"},
    )

    assert (answer["Role"], answer["Runtime"], answer["Handler"]) == (role, "python3.13", "x.y")
    assert (answer["Timeout"], answer["EphemeralStorage"]) == (10, {"Size": 600})
    assert answer["Environment"] == {"Variables": {"KEY": "v"}}
    assert answer["LoggingConfig"]["LogGroup"] == "mine"


async def test_empty_variables_empty_the_environment(api):
    """They are given, so they count."""
    await api.created(Environment={"Variables": {"KEY": "v"}})

    answer = await api(SETTINGS, FunctionName="f", Environment={"Variables": {}})

    assert answer["Environment"] == {"Variables": {}}


@pytest.mark.parametrize(
    "params",
    [
        {"Timeout": 901},
        {"Runtime": "python2.7"},
        {"Runtime": "x"},
        {"Environment": {"Variables": {"AWS_REGION": "x"}}},
        {"Layers": ["l"]},
        {"LoggingConfig": {"SystemLogLevel": "DEBUG"}},
        {"SnapStart": {"ApplyOn": "PublishedVersions"}, "EphemeralStorage": {"Size": 513}},
    ],
)
async def test_settings_that_create_refuses_are_refused_by_updates(api, params):
    """The function stays as it was."""
    before = await api.created()

    await api.refusal(api(SETTINGS, FunctionName="f", **params))

    assert await api("GetFunctionConfiguration", FunctionName="f") == before


@pytest.mark.parametrize("params", [{}, {"S3Bucket": "b", "S3Key": "k"}])
async def test_code_that_create_refuses_is_refused_by_updates(api, params):
    """A source is needed, and it must be a zip file in the request."""
    await api.created()

    assert (await api.refusal(api(CODE, FunctionName="f", **params))).code == INVALID


async def test_an_update_in_progress_excludes_others(api):
    """Of two at once one is a conflict, and deletion is free to go ahead."""
    await api.created()

    answers = await asyncio.gather(
        *(api(SETTINGS, FunctionName="f", Timeout=timeout) for timeout in (5, 6)),
        return_exceptions=True,
    )

    assert answers[0]["Timeout"] == 5
    assert (answers[1].code, answers[1].status) == ("ResourceConflictException", 409)
    assert answers[1].message == (
        "The operation cannot be performed at this time. An update is in progress for resource: "
        f"{api.arn}f"
    )


@pytest.mark.parametrize("operation", [CODE, SETTINGS])
async def test_a_pending_function_cannot_be_updated(api, operation):
    """The text names the state."""
    await api.created()
    await api.stuck().update(api.key(), lambda now: replace(now, state=State.PENDING))
    await api.store.load()

    params = {"ZipFile": api.zipped()} if operation == CODE else {}
    error = await api.refusal(api(operation, FunctionName="f", **params))

    assert error.code == "ResourceConflictException"
    assert error.message.endswith("The function is currently in the following state: Pending")


@pytest.mark.parametrize("operation", [CODE, SETTINGS])
async def test_the_revision_is_a_precondition(api, operation):
    """The latest passes, another is refused with 412."""
    params = {"ZipFile": api.zipped()} if operation == CODE else {}
    before = await api.created()

    error = await api.refusal(api(operation, FunctionName="f", RevisionId="x", **params))
    await api(operation, FunctionName="f", RevisionId=before["RevisionId"], **params)

    assert (error.code, error.status) == ("PreconditionFailedException", 412)
    assert error.message == (
        "The Revision Id provided does not match the latest Revision Id. Call the "
        "GetFunction/GetAlias API to retrieve the latest Revision Id"
    )


@pytest.mark.parametrize("operation", [CODE, SETTINGS])
@pytest.mark.parametrize("name", ["none", "f:1"])
async def test_what_is_not_there_cannot_be_updated(api, operation, name):
    """The error is 404 with the ARN that was meant."""
    await api.created()
    params = {"ZipFile": api.zipped()} if operation == CODE else {}

    error = await api.refusal(api(operation, FunctionName=name, **params))

    assert (error.status, error.message) == (404, f"Function not found: {api.arn}{name}")


async def test_code_storage_is_limited_for_updates_too(api, monkeypatch):
    """The function keeps its code."""
    before = await api.created()
    monkeypatch.setattr(changing, "CODE_STORAGE_MAX_BYTES", before["CodeSize"])

    error = await api.refusal(
        api(CODE, FunctionName="f", ZipFile=api.zipped("".join(map(str, range(99)))))
    )

    assert error.code == "CodeStorageExceededException"
    assert await api("GetFunctionConfiguration", FunctionName="f") == before


async def test_a_caller_that_goes_away_leaves_no_update_unfinished(api):
    """An update that was begun becomes Successful without its caller."""
    await api.created()
    changed = asyncio.Event()
    api.catalog.listeners.append(lambda _before, _after: changed.set())
    caller = asyncio.create_task(api(SETTINGS, FunctionName="f", Timeout=5))
    await asyncio.sleep(0)

    caller.cancel()
    await asyncio.wait([caller])
    await asyncio.wait_for(changed.wait(), 60)
    await api.service.close()

    function = api.catalog.lookup(*api.key())
    assert (function.timeout_s, function.update_status) == (5, UpdateStatus.SUCCESSFUL)


async def test_a_server_that_died_while_updating_left_nothing_undone(api, make_api):
    """At the next start what was InProgress becomes Successful."""
    await api.created()
    await api.stuck().update(
        api.key(), lambda now: replace(now, update_status=UpdateStatus.IN_PROGRESS)
    )
    later = make_api()
    await later.store.load()

    await later.service.recover()

    assert later.catalog.lookup(*api.key()).update_status is UpdateStatus.SUCCESSFUL


async def test_lost_trees_are_made_again_at_a_start(api, make_api, tmp_path):
    """An environment finds its code after the first start that follows."""
    await api.created()
    function = api.catalog.lookup(*api.key())
    tree = await api.packages.ensure_tree(function.package_id)
    tree.rename(tmp_path / "lost")
    later = make_api()
    await later.store.load()

    await later.service.recover()

    assert (tree / "app.py").exists()


async def test_lost_packages_do_not_keep_the_server_from_starting(api, make_api, tmp_path, caplog):
    """The log says which code is gone."""
    await api.created()
    function = api.catalog.lookup(*api.key())
    api.packages.zip_path(function.package_id).unlink()
    (await api.packages.ensure_tree(function.package_id)).rename(tmp_path / "lost")

    await make_api().service.recover()

    assert function.package_id in caplog.text


async def test_code_that_is_not_used_any_more_is_collected(api):
    """Old code goes once nothing uses it and it is mounted nowhere."""
    await api.created()
    old = api.catalog.lookup(*api.key()).package_id
    await api(CODE, FunctionName="f", ZipFile=api.zipped("other"))

    assert await api.service.collect_packages({old}) == 0
    assert await api.service.collect_packages(()) == 0
    assert await api.service.collect_packages(()) == 1

    assert not api.packages.zip_path(old).exists()
    new = api.catalog.lookup(*api.key()).package_id
    assert api.packages.zip_path(new).exists()
