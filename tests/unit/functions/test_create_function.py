"""CreateFunction and DeleteFunction."""

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import Any

import pytest

from emberbox.functions import changing
from emberbox.model.function import State
from emberbox.model.request import Reply, RequestContext

INVALID = "InvalidParameterValueException"


async def test_the_answer_has_exactly_the_members_that_aws_shows(api):
    """What was never set is absent; what AWS always shows is there with its default."""
    code = api.zipped()

    answer = await api.create()

    revision_id = answer.pop("RevisionId")
    runtime_version = answer.pop("RuntimeVersionConfig")["RuntimeVersionArn"]
    assert answer == {
        "FunctionName": "f",
        "FunctionArn": f"{api.arn}f",
        "Runtime": "python3.12",
        "Role": api.role,
        "Handler": "app.handler",
        "CodeSize": len(code),
        "CodeSha256": base64.b64encode(hashlib.sha256(code).digest()).decode(),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "EphemeralStorage": {"Size": 512},
        "LastModified": "2023-11-14T22:13:20.000+0000",
        "Version": "$LATEST",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "TracingConfig": {"Mode": "PassThrough"},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"},
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
    }
    assert len(revision_id) == 36
    assert runtime_version.startswith("arn:aws:lambda:us-east-1::runtime:")


async def test_a_function_becomes_active_by_itself(api):
    """A moment after create it is Active and Successful, without reasons, at a new revision."""
    created = await api.create()

    await api.service.close()

    now = await api("GetFunctionConfiguration", FunctionName="f")
    assert (now["State"], now["LastUpdateStatus"]) == ("Active", "Successful")
    assert not {"StateReason", "StateReasonCode", "LastUpdateStatusReason"} & now.keys()
    assert now["RevisionId"] != created["RevisionId"]
    assert now["LastModified"] == created["LastModified"]


async def test_all_settings_are_stored(api):
    """What is given is what is shown and what the invoke path sees."""
    answer = await api.create(
        Description="d",
        Timeout=900,
        MemorySize=10_240,
        EphemeralStorage={"Size": 10_240},
        Environment={"Variables": {"KEY": "v"}},
        Architectures=["arm64"],
        LoggingConfig={"LogFormat": "Text", "LogGroup": "mine"},
        Tags={"t": "1"},
    )

    assert answer["Description"] == "d"
    assert (answer["Timeout"], answer["MemorySize"]) == (900, 10_240)
    assert answer["EphemeralStorage"] == {"Size": 10_240}
    assert answer["Environment"] == {"Variables": {"KEY": "v"}}
    assert answer["Architectures"] == ["arm64"]
    assert answer["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "mine"}
    function = api.catalog.lookup(*api.key())
    assert function.environment == {"KEY": "v"}
    assert (function.timeout_s, function.memory_mb, function.ephemeral_mb) == (900, 10_240, 10_240)
    assert (function.architecture, function.logging.group) == ("arm64", "mine")


@pytest.mark.parametrize("given", [{}, {"Variables": {}}])
async def test_an_empty_environment_is_shown(api, given):
    """Given empty is not the same as never given."""
    assert (await api.create(Environment=given))["Environment"] == {"Variables": {}}


async def test_the_code_is_unpacked_when_create_returns(api):
    """An environment can be started at once."""
    await api.create(code="print(1)")

    function = api.catalog.lookup(*api.key())
    tree = await api.packages.ensure_tree(function.package_id)
    assert (tree / "app.py").read_text() == "print(1)"


async def test_a_name_is_taken_once(api):
    """The second create is a conflict."""
    await api.create()

    error = await api.refusal(api.create())

    assert (error.code, error.status) == ("ResourceConflictException", 409)
    assert error.message == "Function already exist: f"


@pytest.mark.parametrize(
    "name",
    [
        "f",
        "function:f",
        "123456789012:f",
        "123456789012:function:f",
        "us-east-1:123456789012:function:f",
        "arn:aws:lambda:us-east-1:123456789012:function:f",
    ],
)
async def test_a_function_can_be_named_by_arn(api, name):
    """All forms name the same function."""
    assert (await api.create(name))["FunctionName"] == "f"


@pytest.mark.parametrize("name", ["f g", "f:v:w", "", "arn:aws:s3:::b", "ü"])
async def test_bad_names_are_refused(api, name):
    """The text is that of a broken constraint."""
    error = await api.refusal(api.create(name))

    assert error.code == "ValidationException"
    assert error.message.startswith(
        f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy "
        "constraint: Member must "
    )


async def test_the_answer_to_an_overlong_name_says_how_long_it_may_be(api):
    """The bound in the text is the one of names, not of the parameter, and so is the error."""
    name = "a" * 65
    error = await api.refusal(api.create(name))

    assert error.code == INVALID
    assert error.message == (
        f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy "
        "constraint: Member must have length less than or equal to 64"
    )


async def test_a_function_is_created_without_qualifier(api):
    """A version cannot be created by its name."""
    assert (await api.refusal(api.create("f:v1"))).code == INVALID


@pytest.mark.parametrize("missing", ["Runtime", "Handler"])
async def test_runtime_and_handler_are_needed(api, missing):
    """Functions from zip files have both."""
    error = await api.refusal(api.create(**{missing: None}))

    assert (error.code, error.message) == (
        INVALID,
        "Runtime and Handler are mandatory parameters for functions created with deployment "
        "packages.",
    )


async def test_unknown_runtimes_are_refused_with_all_that_are_known(api):
    """The text has no count and names what can be chosen."""
    error = await api.refusal(api.create(Runtime="python9"))

    assert error.code == INVALID
    assert error.message.startswith(
        "Value python9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value "
        "set: ["
    )
    assert error.message.endswith("] or be a valid ARN")
    assert "python3.12" in error.message
    assert "python3.7" not in error.message


async def test_retired_runtimes_are_refused_with_a_proposal(api):
    """The text names the runtime and one to use instead."""
    error = await api.refusal(api.create(Runtime="python3.7"))

    assert error.message == (
        "The runtime parameter of python3.7 is no longer supported for creating or updating AWS "
        "Lambda functions. We recommend you use the new runtime (python3.14) while creating or "
        "updating functions."
    )


@pytest.mark.parametrize(
    "runtime", ["nodejs22.x", "java21", "ruby3.4", "dotnet8", "provided.al2", "provided.al2023"]
)
async def test_runtimes_of_other_languages_can_be_stored(api, runtime):
    """What is missing to run them is for the invocation to say."""
    assert (await api.create(Runtime=runtime))["Runtime"] == runtime


async def test_all_sizes_that_are_too_large_are_named_at_once(api):
    """The service's bounds count where the model's are laxer."""
    error = await api.refusal(
        api.create(Timeout=901, MemorySize=10_241, EphemeralStorage={"Size": 10_241})
    )

    assert error.code == "ValidationException"
    assert error.message == (
        "3 validation errors detected: Value '901' at 'timeout' failed to satisfy constraint: "
        "Member must have value less than or equal to 900; Value '10241' at 'memorySize' failed to "
        "satisfy constraint: Member must have value less than or equal to 10240; Value '10241' at "
        "'ephemeralStorage.size' failed to satisfy constraint: Member must have value less than or "
        "equal to 10240"
    )


async def test_a_server_may_let_functions_run_for_longer(make_api):
    """Up to what it was told, and the refusal names that."""
    api = make_api(timeout_max_s=1_800)

    assert (await api.create(Timeout=1_800))["Timeout"] == 1_800
    error = await api.refusal(api.create("g", Timeout=1_801))

    assert error.message.endswith("Member must have value less than or equal to 1800")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ({}, "Please provide a source for function code."),
        ({"ZipFile": b""}, "Uploaded file must be a non-empty zip"),
        (
            {"ZipFile": b"x"},
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
    ],
)
async def test_bad_code_is_refused(api, code, message):
    """The texts are AWS's."""
    error = await api.refusal(api.create(Code=code))

    assert (error.code, error.message) == (INVALID, message)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("Runtime", "custom"),
        ("RuntimeConfig", {"RuntimeArn": "a", "RuntimeAlias": "b"}),
        ("DurableConfig", {"RetentionPeriodInDays": 14}),
    ],
)
async def test_what_is_not_built_is_refused(api, member, value):
    """Nothing is stored that would be ignored, and nothing at all is stored."""
    error = await api.refusal(api.create(**{member: value}))

    assert error.code == INVALID
    assert error.message.startswith(f"Emberbox does not build {member}")
    assert api.catalog.lookup(*api.key()) is None


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            {"S3Bucket": "bucket", "S3Key": "k"},
            "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The "
            "specified bucket does not exist",
        ),
        (
            {"S3Bucket": "bucket", "S3Key": "k", "ZipFile": b"x"},
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        ),
        ({}, "Please provide a source for function code."),
    ],
)
async def test_code_has_one_source(api, code, message):
    """A bucket that does not exist is reported in the words of S3."""
    error = await api.refusal(api.create(Code=code))

    assert (error.code, error.message) == ("InvalidParameterValueException", message)


async def test_empty_and_default_forms_of_the_unbuilt_are_accepted(api):
    """Tools send them all the time; they ask for nothing."""
    answer = await api.create(
        Layers=[],
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": False},
        FileSystemConfigs=[],
        PackageType="Zip",
        ImageConfig={"Command": [], "EntryPoint": []},
        DeadLetterConfig={"TargetArn": ""},
        SnapStart={"ApplyOn": "None"},
        KMSKeyArn="",
        CodeSigningConfigArn="",
        TracingConfig={"Mode": "PassThrough"},
        LoggingConfig={"LogFormat": "Text"},
        Publish=False,
        DurableConfig={},
    )

    assert not {"Layers", "VpcConfig", "KMSKeyArn", "DeadLetterConfig"} & answer.keys()


async def test_log_levels_need_the_json_format(api):
    """A level that would not be applied is refused."""
    error = await api.refusal(api.create(LoggingConfig={"ApplicationLogLevel": "DEBUG"}))

    assert error.code == INVALID
    assert 'LogFormat is set to "Text"' in error.message


@pytest.mark.parametrize("tags", [{f"k{n}": "" for n in range(51)}, {"aws:x": "1"}, {"AWS:x": "1"}])
async def test_bad_tags_are_refused(api, tags):
    """There is a number of tags at most, and AWS's own prefix is not for others."""
    assert (await api.refusal(api.create(Tags=tags))).code == INVALID


async def test_code_storage_is_limited(api, monkeypatch):
    """The limit is one of account and region."""
    monkeypatch.setattr(changing, "CODE_STORAGE_MAX_BYTES", len(api.zipped()) * 3 // 2)
    await api.create("f")
    await api.create("f", region="eu-west-1")

    error = await api.refusal(api.create("g"))

    assert (error.code, error.status) == ("CodeStorageExceededException", 400)
    assert api.catalog.lookup(*api.key("g")) is None


@dataclass
class TrustedRole:
    """A role with a trust policy."""

    assume_role_policy: dict[str, Any]


class Roles:
    """Roles by ARN."""

    def __init__(self, **policies):
        self._policies = policies

    async def role(self, account, arn):
        """The role, or None."""
        name = arn.rpartition("/")[2]
        return TrustedRole(self._policies[name]) if name in self._policies else None


def trust(**changes):
    """A trust policy, by default the one everybody writes."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
        **changes,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


@pytest.mark.parametrize(
    "policy",
    [
        trust(),
        {**trust(), "Statement": trust()["Statement"][0]},
        trust(Principal={"Service": ["edgelambda.amazonaws.com", "lambda.amazonaws.com"]}),
        trust(Principal="*"),
        trust(Action=["sts:TagSession", "sts:Assume*"]),
    ],
)
async def test_a_role_that_trusts_lambda_is_accepted(make_api, policy):
    """However the policy says it."""
    api = make_api(roles=Roles(r=policy))

    assert (await api.created())["State"] == "Active"


@pytest.mark.parametrize(
    "policies",
    [
        {},
        {"r": {}},
        {"r": trust(Principal={"Service": "ec2.amazonaws.com"})},
        {"r": trust(Principal={"AWS": "*"})},
        {"r": trust(Action="sts:TagSession")},
        {"r": {"Statement": [*trust()["Statement"], *trust(Effect="Deny")["Statement"]]}},
    ],
)
async def test_a_role_that_lambda_cannot_assume_is_refused(make_api, policies):
    """It has to exist and to trust Lambda, if roles are looked up."""
    api = make_api(roles=Roles(**policies))

    error = await api.refusal(api.create())

    assert (error.code, error.message) == (
        INVALID,
        "The role defined for the function cannot be assumed by Lambda.",
    )


@pytest.mark.parametrize("role", ["arn:aws:iam::210987654321:role/r", "x" * 5_000])
async def test_a_role_of_another_account_is_refused(make_api, role):
    """A role cannot be passed across accounts, if roles are looked up; nor one that is none."""
    api = make_api(roles=Roles(r=trust()))

    error = await api.refusal(api.create(Role=role))

    assert (error.code, error.status) == ("AccessDeniedException", 403)
    assert error.message == "Cross-account pass role is not allowed."


async def test_any_role_will_do_where_roles_are_not_looked_up(api):
    """The default takes made-up roles."""
    role = "arn:aws:iam::210987654321:role/service-role/none"

    assert (await api.created(Role=role))["Role"] == role


async def test_delete_answers_204_and_the_function_is_gone(api):
    """Then it is unknown, and its name is free."""
    await api.created()
    context = RequestContext("123456789012", "us-east-1", "id", "lambda", "DeleteFunction", "", "")

    answer = await api.service.operations["DeleteFunction"](context, {"FunctionName": "f"})

    assert answer == Reply(status=204)
    error = await api.refusal(api("GetFunction", FunctionName="f"))
    assert (error.code, error.status) == ("ResourceNotFoundException", 404)
    assert error.message == f"Function not found: {api.arn}f"
    await api.create()


async def test_a_function_can_be_deleted_while_it_is_pending(api):
    """What was begun comes to its end without it."""
    await api.create()

    await api("DeleteFunction", FunctionName="f")
    await api.service.close()

    assert api.catalog.lookup(*api.key()) is None


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"FunctionName": "none"}, "ResourceNotFoundException"),
        ({"FunctionName": "f", "Qualifier": "$LATEST"}, INVALID),
        ({"FunctionName": "f:$LATEST"}, INVALID),
    ],
)
async def test_only_a_whole_function_can_be_deleted(api, params, code):
    """$LATEST cannot go alone."""
    await api.created()

    assert (await api.refusal(api("DeleteFunction", **params))).code == code
    assert api.catalog.lookup(*api.key()) is not None


async def test_a_server_that_died_while_creating_left_nothing_undone(api, make_api):
    """At the next start what was Pending becomes Active."""
    await api.created()
    await api.stuck().update(api.key(), lambda now: replace(now, state=State.PENDING))
    later = make_api()
    await later.store.load()

    await later.service.recover()

    assert later.catalog.lookup(*api.key()).state is State.ACTIVE


async def test_a_log_of_json_format_has_levels(api):
    """INFO if nothing is said; an update keeps what it does not name, and text has none."""
    made = await api.create(LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG"})
    changed = await api(
        "UpdateFunctionConfiguration",
        FunctionName="f",
        LoggingConfig={"ApplicationLogLevel": "ERROR"},
    )
    text = await api(
        "UpdateFunctionConfiguration", FunctionName="f", LoggingConfig={"LogFormat": "Text"}
    )

    assert made["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "DEBUG",
        "LogGroup": "/aws/lambda/f",
    }
    assert changed["LoggingConfig"]["ApplicationLogLevel"] == "ERROR"
    assert changed["LoggingConfig"]["SystemLogLevel"] == "DEBUG"
    assert text["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}
