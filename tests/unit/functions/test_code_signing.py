"""Code signing configurations, and what they mean for a package that nobody can verify here."""

import logging
import re

import pytest

PROFILE = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/p/abc"
PUBLISHERS = {"SigningProfileVersionArns": [PROFILE]}
ABSENT = "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0"


async def config(api, policy=None, **params):
    """Create a configuration; its ARN."""
    policies = {} if policy is None else {"UntrustedArtifactOnDeployment": policy}
    made = await api(
        "CreateCodeSigningConfig",
        AllowedPublishers=PUBLISHERS,
        CodeSigningPolicies=policies,
        **params,
    )
    return made["CodeSigningConfig"]["CodeSigningConfigArn"]


async def test_a_configuration_is_made_changed_and_removed(api):
    """Its policy is Warn unless it says otherwise."""
    arn = await config(api, Description="d")
    made = await api("GetCodeSigningConfig", CodeSigningConfigArn=arn)
    changed = await api(
        "UpdateCodeSigningConfig",
        CodeSigningConfigArn=arn,
        CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"},
    )
    await api("DeleteCodeSigningConfig", CodeSigningConfigArn=arn)

    shown = made["CodeSigningConfig"]
    assert re.fullmatch(r"csc-[a-z0-9]{17}", shown["CodeSigningConfigId"])
    assert shown["CodeSigningPolicies"] == {"UntrustedArtifactOnDeployment": "Warn"}
    assert (shown["Description"], shown["AllowedPublishers"]) == ("d", PUBLISHERS)
    assert re.fullmatch(r"[\d-]{10}T[\d:.]{12}\+0000", shown["LastModified"])
    policies = changed["CodeSigningConfig"]["CodeSigningPolicies"]
    assert policies == {"UntrustedArtifactOnDeployment": "Enforce"}
    for operation in ("Get", "Update", "Delete"):
        call = api(f"{operation}CodeSigningConfig", CodeSigningConfigArn=arn)
        error = await api.refusal(call)
        assert error.code == "ResourceNotFoundException"
        assert error.message == f"The Lambda code signing configuration {arn} can not be found."
        assert error.fields == {"Type": ""}


async def test_configurations_are_listed_in_pages(api):
    """By id."""
    arns = [await config(api) for _ in range(3)]

    page = await api("ListCodeSigningConfigs", MaxItems=2)
    rest = await api("ListCodeSigningConfigs", MaxItems=2, Marker=page["NextMarker"])

    listed = [*page["CodeSigningConfigs"], *rest["CodeSigningConfigs"]]
    assert [each["CodeSigningConfigArn"] for each in listed] == sorted(arns)
    assert "NextMarker" not in rest


async def test_an_account_has_a_limited_number(api):
    """Of configurations, in a region."""
    for _ in range(20):
        await config(api)

    many = await api.refusal(config(api))

    assert many.code == "InvalidParameterValueException"


@pytest.mark.parametrize("profile", ["arn:aws:s3:::b", "x" * 300])
async def test_profiles_are_of_aws_signer(api, profile):
    """Also where a text is too long to be matched by the model's pattern."""
    publishers = {"SigningProfileVersionArns": [profile]}

    error = await api.refusal(api("CreateCodeSigningConfig", AllowedPublishers=publishers))

    assert error.code == "InvalidParameterValueException"


async def test_a_function_gets_and_loses_a_configuration(api):
    """In use it cannot be deleted; without one only the name is shown."""
    await api.created()
    arn = await config(api)

    before = await api("GetFunctionCodeSigningConfig", FunctionName="f")
    put = await api("PutFunctionCodeSigningConfig", FunctionName="f", CodeSigningConfigArn=arn)
    got = await api("GetFunctionCodeSigningConfig", FunctionName="f")
    users = await api("ListFunctionsByCodeSigningConfig", CodeSigningConfigArn=arn)
    in_use = await api.refusal(api("DeleteCodeSigningConfig", CodeSigningConfigArn=arn))
    for _ in range(2):
        await api("DeleteFunctionCodeSigningConfig", FunctionName="f")
    await api("DeleteCodeSigningConfig", CodeSigningConfigArn=arn)

    assert before == {"FunctionName": "f"}
    assert put == got == {"FunctionName": "f", "CodeSigningConfigArn": arn}
    assert users == {"FunctionArns": [f"{api.arn}f"]}
    assert (in_use.code, in_use.status) == ("ResourceConflictException", 409)


async def test_enforce_refuses_every_package_and_says_why(api):
    """At creation and at an update; the code stays what it was."""
    arn = await config(api, "Enforce")
    await api.created("old")
    await api("PutFunctionCodeSigningConfig", FunctionName="old", CodeSigningConfigArn=arn)

    creation = await api.refusal(api.create(CodeSigningConfigArn=arn))
    update = await api.refusal(
        api("UpdateFunctionCode", FunctionName="old", ZipFile=api.zipped("new"))
    )

    for error in (creation, update):
        assert (error.code, error.status) == ("CodeVerificationFailedException", 400)
        assert "set to ENFORCE" in error.message
        assert "Emberbox cannot verify signatures" in error.message
    assert api.catalog.lookup(*api.key("f")) is None
    settings = api("UpdateFunctionConfiguration", FunctionName="old", Timeout=5)
    assert (await settings)["Timeout"] == 5


async def test_warn_lets_a_package_pass_and_says_so_in_the_log(api, caplog):
    """The function keeps its configuration from its creation on."""
    arn = await config(api, "Warn")

    with caplog.at_level(logging.WARNING):
        await api.created(CodeSigningConfigArn=arn)

    assert (await api("GetFunctionCodeSigningConfig", FunctionName="f"))[
        "CodeSigningConfigArn"
    ] == arn
    assert "the code of function f is not trusted" in caplog.text


@pytest.mark.parametrize("arn", [ABSENT, ABSENT.replace("us-east-1", "eu-west-1")])
async def test_a_configuration_that_is_not_there_cannot_be_given(api, arn):
    """Nor one of another region."""
    await api.created("g")

    assigned = await api.refusal(
        api("PutFunctionCodeSigningConfig", FunctionName="g", CodeSigningConfigArn=arn)
    )
    created = await api.refusal(api.create(CodeSigningConfigArn=arn))

    for error in (assigned, created):
        assert error.code == "CodeSigningConfigNotFoundException"
        assert error.message.endswith(f"not deleted: {arn}.")
