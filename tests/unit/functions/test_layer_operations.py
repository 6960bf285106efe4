"""Layers: their versions, their policies, and functions that use them."""

import io
import json
import zipfile

import pytest

OTHER = "210987654321"
LAYER = "arn:aws:lambda:us-east-1:123456789012:layer:"


def zipped(**files):
    """A zip of files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        for name, text in files.items():
            package.writestr(name, text)
    return out.getvalue()


async def publish(api, name="l", text="x", **params):
    """Publish a layer version; the answer."""
    content = {"ZipFile": zipped(file=text)}
    return await api("PublishLayerVersion", LayerName=name, Content=content, **params)


async def test_a_version_is_shown_as_it_was_published(api):
    """By name, by ARN of the layer and by ARN of the version; what was not given is absent."""
    made = await publish(
        api,
        Description="d",
        CompatibleRuntimes=["python3.12"],
        CompatibleArchitectures=["x86_64"],
        LicenseInfo="MIT",
    )
    bare = await publish(api, text="y")

    found = await api("GetLayerVersion", LayerName="l", VersionNumber=1)
    byarn = await api("GetLayerVersion", LayerName=f"{LAYER}l", VersionNumber=1)
    whole = await api("GetLayerVersionByArn", Arn=f"{LAYER}l:1")

    assert made == found == byarn == whole
    assert made["LayerArn"] == f"{LAYER}l"
    assert made["LayerVersionArn"] == f"{LAYER}l:1"
    assert made["Content"].keys() == {"Location", "CodeSha256", "CodeSize"}
    assert made["Content"]["CodeSize"] == len(zipped(file="x"))
    assert (made["Version"], bare["Version"], bare["Description"]) == (1, 2, "")
    assert not {"CompatibleRuntimes", "CompatibleArchitectures", "LicenseInfo"} & bare.keys()


async def test_numbers_of_layer_versions_are_never_used_twice(api):
    """To delete what is not there does no harm."""
    await publish(api)
    await api("DeleteLayerVersion", LayerName="l", VersionNumber=1)
    await api("DeleteLayerVersion", LayerName="l", VersionNumber=1)

    again = await publish(api)
    error = await api.refusal(api("GetLayerVersion", LayerName="l", VersionNumber=1))

    assert again["Version"] == 2
    assert (error.code, error.status) == ("ResourceNotFoundException", 404)
    assert error.message == "The resource you requested does not exist."


async def test_there_is_no_version_below_one(api):
    """AWS says so."""
    for operation in ("GetLayerVersion", "DeleteLayerVersion", "GetLayerVersionPolicy"):
        error = await api.refusal(api(operation, LayerName="l", VersionNumber=0))
        assert error.message == "Layer Version Cannot be less than 1"


async def test_lists_show_the_newest_that_fits(api):
    """Layers by name, versions from the newest; filters look at what the versions say."""
    await publish(api, "a", CompatibleRuntimes=["python3.12"])
    await publish(api, "a", CompatibleRuntimes=["nodejs20.x"], CompatibleArchitectures=["arm64"])
    await publish(api, "b")

    layers = await api("ListLayers", MaxItems=1)
    rest = await api("ListLayers", MaxItems=1, Marker=layers["NextMarker"])
    python = await api("ListLayers", CompatibleRuntime="python3.12")
    arm = await api("ListLayerVersions", LayerName="a", CompatibleArchitecture="arm64")
    versions = await api("ListLayerVersions", LayerName="a", MaxItems=1)
    older = await api("ListLayerVersions", LayerName="a", Marker=versions["NextMarker"])

    assert [each["LayerName"] for each in layers["Layers"]] == ["a"]
    assert layers["Layers"][0]["LatestMatchingVersion"]["Version"] == 2
    assert [each["LayerName"] for each in rest["Layers"]] == ["b"]
    assert "NextMarker" not in rest
    assert [each["LatestMatchingVersion"]["Version"] for each in python["Layers"]] == [1]
    assert [each["Version"] for each in arm["LayerVersions"]] == [2]
    assert [each["Version"] for each in versions["LayerVersions"]] == [2]
    assert [each["Version"] for each in older["LayerVersions"]] == [1]
    assert await api("ListLayerVersions", LayerName="none") == {"LayerVersions": []}


async def test_a_function_shows_its_layers(api):
    """In their order, with the size of each; an empty list takes them away."""
    one = await publish(api, "a")
    two = await publish(api, "b", "longer")
    arns = [two["LayerVersionArn"], one["LayerVersionArn"]]

    made = await api.created(Layers=arns)
    kept = await api("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    await api.service.close()
    bare = await api("UpdateFunctionConfiguration", FunctionName="f", Layers=[])

    assert (
        made["Layers"]
        == kept["Layers"]
        == [
            {"Arn": arns[0], "CodeSize": two["Content"]["CodeSize"]},
            {"Arn": arns[1], "CodeSize": one["Content"]["CodeSize"]},
        ]
    )
    assert "Layers" not in bare


@pytest.mark.parametrize(
    ("layers", "code", "message"),
    [
        ([f"{LAYER}none:1"], "InvalidParameterValueException", f"Layer version {LAYER}none:1 "),
        ([f"{LAYER}l:9"], "InvalidParameterValueException", f"Layer version {LAYER}l:9 does not"),
        ([f"{LAYER}l:1"] * 6, "InvalidParameterValueException", "Cannot reference more than 5 "),
        (
            [f"{LAYER}l:1", f"{LAYER}l:2"],
            "InvalidParameterValueException",
            "Two different versions of the same layer are not allowed to be referenced in the same "
            f"function. {LAYER}l:1 and {LAYER}l:2 are versions of the same layer.",
        ),
        (
            ["arn:aws:lambda:eu-west-1:123456789012:layer:l:1"],
            "InvalidParameterValueException",
            "Layers are not in the same region as the function. Layers are expected to be in "
            "region us-east-1.",
        ),
        (
            [f"arn:aws:lambda:us-east-1:{OTHER}:layer:l:1"],
            "AccessDeniedException",
            "User: arn:aws:iam::123456789012:root is not authorized to perform: "
            f"lambda:GetLayerVersion on resource: arn:aws:lambda:us-east-1:{OTHER}:layer:l:1",
        ),
    ],
)
async def test_layers_that_a_function_cannot_have(api, layers, code, message):
    """At creation and at updates, in AWS's words."""
    await publish(api)
    await publish(api)
    await api.created()

    for call in (
        api.create("g", Layers=layers),
        api("UpdateFunctionConfiguration", FunctionName="f", Layers=layers),
    ):
        error = await api.refusal(call)
        assert error.code == code
        assert error.message.startswith(message)


async def test_code_and_layers_are_limited_together(api, monkeypatch):
    """Unzipped; whichever comes last is refused."""
    monkeypatch.setattr("emberbox.model.layers.UNZIPPED_MAX_BYTES", 10)
    layer = await publish(api, text="123456")
    await api.created(code="12345", Layers=[])
    message = (
        "Function code combined with layers exceeds the maximum allowed size of 10 bytes. The "
        "actual size is 11 bytes."
    )
    layers = [layer["LayerVersionArn"]]

    config = await api.refusal(api("UpdateFunctionConfiguration", FunctionName="f", Layers=layers))
    await api.created("g", code="1234", Layers=layers)
    code = await api.refusal(
        api("UpdateFunctionCode", FunctionName="g", ZipFile=api.zipped("12345"))
    )

    assert config.message == code.message == message


async def test_a_deleted_layer_version_stays_with_its_functions(api):
    """They show it and its tree is kept; nobody else can take it."""
    layer = await publish(api)
    arn = layer["LayerVersionArn"]
    await api.created(Layers=[arn])

    await api("DeleteLayerVersion", LayerName="l", VersionNumber=1)
    for _ in range(2):
        await api.service.collect_packages(())

    shown = await api("GetFunctionConfiguration", FunctionName="f")
    [held] = api.catalog.lookup(*api.key()).layers
    assert [each["Arn"] for each in shown["Layers"]] == [arn]
    assert (await api.packages.ensure_tree(held.package_id)).joinpath("file").read_text() == "x"
    await api.refusal(api.create("g", Layers=[arn]))


async def test_trees_of_layers_are_made_once_and_collected(api, tmp_path):
    """What a function sees at /opt is there when it is created and goes when no function needs it.

    It is made again after a restart.
    """
    arns = [(await publish(api, name, name))["LayerVersionArn"] for name in ("a", "b")]
    await api.created(Layers=arns)
    await api.created("g", Layers=arns)
    trees = tmp_path / "packages" / "trees"
    layers = api.catalog.lookup(*api.key()).layers

    [made] = trees.glob("opt-*")
    assert (made / "file").read_text() == "b"
    await api("DeleteFunction", FunctionName="f")
    for _ in range(2):
        await api.service.collect_packages(())
    assert made.exists()
    await api("DeleteFunction", FunctionName="g")
    for _ in range(2):
        await api.service.collect_packages(())
    assert not made.exists()
    await api.packages.ensure_opt(layers)
    assert (made / "file").read_text() == "b"


async def test_layers_count_as_code(api):
    """GetAccountSettings shows them with the functions."""
    layer = await publish(api)

    usage = (await api("GetAccountSettings"))["AccountUsage"]

    assert usage == {"TotalCodeSize": layer["Content"]["CodeSize"], "FunctionCount": 0}


# -- policies -------------------------------------------------------------------------------------


async def grant(api, principal, sid="s", **params):
    """Let somebody use version 1 of l."""
    return await api(
        "AddLayerVersionPermission",
        LayerName="l",
        VersionNumber=1,
        StatementId=sid,
        Action="lambda:GetLayerVersion",
        Principal=principal,
        **params,
    )


@pytest.mark.parametrize(
    ("principal", "shown"),
    [
        ("*", "*"),
        (OTHER, {"AWS": f"arn:aws:iam::{OTHER}:root"}),
        (f"arn:aws:iam::{OTHER}:root", {"AWS": f"arn:aws:iam::{OTHER}:root"}),
    ],
)
async def test_another_account_uses_what_it_was_granted(api, principal, shown):
    """Read it, and give it to functions; the policy says so."""
    layer = await publish(api)
    arn = layer["LayerVersionArn"]
    role = f"arn:aws:iam::{OTHER}:role/r"

    before = await api.refusal(api("GetLayerVersionByArn", Arn=arn, account=OTHER))
    added = await grant(api, principal)
    policy = await api("GetLayerVersionPolicy", LayerName="l", VersionNumber=1)
    found = await api("GetLayerVersionByArn", Arn=arn, account=OTHER)
    made = await api.create(account=OTHER, Role=role, Layers=[arn])

    statement = {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": shown,
        "Action": "lambda:GetLayerVersion",
        "Resource": arn,
    }
    assert before.code == "AccessDeniedException"
    assert json.loads(added["Statement"]) == statement
    assert json.loads(policy["Policy"]) == {
        "Version": "2012-10-17",
        "Id": "default",
        "Statement": [statement],
    }
    assert added["RevisionId"] == policy["RevisionId"]
    assert found["LayerVersionArn"] == made["Layers"][0]["Arn"] == arn


async def test_a_grant_taken_back_is_gone(api):
    """Functions that have the layer keep it."""
    arn = (await publish(api))["LayerVersionArn"]
    await grant(api, OTHER)

    await api("RemoveLayerVersionPermission", LayerName="l", VersionNumber=1, StatementId="s")

    await api.refusal(api("GetLayerVersionByArn", Arn=arn, account=OTHER))
    error = await api.refusal(api("GetLayerVersionPolicy", LayerName="l", VersionNumber=1))
    assert error.message == "No policy is associated with the given resource."


async def test_a_grant_to_an_organisation_is_none_to_an_account_outside(api):
    """There are no organisations here, so no account is in one."""
    arn = (await publish(api))["LayerVersionArn"]

    added = await grant(api, "*", OrganizationId="o-1234567890")

    assert json.loads(added["Statement"])["Condition"] == {
        "StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}
    }
    await api.refusal(api("GetLayerVersionByArn", Arn=arn, account=OTHER))


async def test_grants_of_layers_are_refused_in_awss_words(api):
    """Statements that are there or not, revisions, versions, other accounts' layers."""
    await publish(api)
    await grant(api, "*")

    again = await api.refusal(grant(api, OTHER))
    stale = await api.refusal(grant(api, OTHER, "t", RevisionId="x"))
    unknown = await api.refusal(
        api("RemoveLayerVersionPermission", LayerName="l", VersionNumber=1, StatementId="t")
    )
    missing = await api.refusal(api("GetLayerVersionPolicy", LayerName="l", VersionNumber=9))
    foreign = await api.refusal(
        api("GetLayerVersionPolicy", LayerName=f"{LAYER}l", VersionNumber=1, account=OTHER)
    )

    assert (again.code, again.status) == ("ResourceConflictException", 409)
    assert again.message.startswith("The statement id (s) provided already exists.")
    assert (stale.code, stale.status) == ("PreconditionFailedException", 412)
    assert "Call the GetLayerPolicy API" in stale.message
    assert unknown.message == "Statement t is not found in resource policy."
    assert missing.message == f"Layer version {LAYER}l:9 does not exist."
    assert foreign.code == "AccessDeniedException"
