"""File systems of functions: which may be asked for, and what is shown."""

from functools import partial

import click
import pytest

from emberbox.cli.file_systems import file_systems
from emberbox.errors import CallerError
from emberbox.functions.file_systems import AccessPoints, check_file_system, file_system
from emberbox.model.function import FileSystem, FunctionVersion, Logging, Vpc
from emberbox.storage.catalog import FunctionKey

ARN = "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0"
OTHER = ARN.replace("fsap-0", "fsap-1")
KEY = FunctionKey("123456789012", "us-east-1", "f")
ROLE = "arn:aws:iam::123456789012:role/r"
VPC = Vpc(("subnet-1",), ("sg-1",), ipv6_allowed=False)


def _function(**settings):
    return FunctionVersion(
        "1", "r", "f", "role", "python3.12", "h", "p", "s", 1, "x", 0.0, Logging("g"), **settings
    )


def _refused(act):
    with pytest.raises(CallerError) as caught:
        act()
    return caught.value


def _params(arn=ARN, place="/mnt/data", **more):
    return {"FileSystemConfigs": [{"Arn": arn, "LocalMountPath": place, **more}]}


def test_an_access_point_with_a_directory_may_be_asked_for():
    """So may none at all."""
    points = AccessPoints([ARN])

    points.check(KEY, _params())
    points.check(KEY, {"FileSystemConfigs": []})
    points.check(KEY, {})


@pytest.mark.parametrize(
    ("params", "part"),
    [
        (_params(OTHER), "does not exist"),
        (_params(place="/mnt/.."), "no name of a directory"),
        (_params(place="/mnt/."), "no name of a directory"),
        (_params(S3FilesConfig={"x": 1}), "S3FilesConfig"),
    ],
)
def test_others_are_refused(params, part):
    """An access point nobody knows, a path that leaves /mnt, options of another kind."""
    error = _refused(lambda: AccessPoints([ARN]).check(KEY, params))

    assert (error.code, part in error.message) == ("InvalidParameterValueException", True)


@pytest.mark.parametrize("key", [KEY._replace(account="1"), KEY._replace(region="eu-west-1")])
def test_a_function_has_file_systems_of_its_own_account_and_region(key):
    """Though the server has a directory for the access point."""
    error = _refused(lambda: AccessPoints([ARN]).check(key, _params()))

    assert "of another account or region" in error.message


@pytest.mark.parametrize("missing", ["ClientMount", "ClientWrite"])
async def test_the_role_must_be_allowed_to_use_the_file_system(make_api, missing):
    """When the function is made, when it gets a file system, and when it gets another role."""

    async def rights(role, action, resource):
        return (role, resource) != (ROLE, ARN) or action != f"elasticfilesystem:{missing}"

    api = make_api(access_points=AccessPoints([ARN]), rights=rights)
    vpc = {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}
    wanted = {**_params(), **vpc}
    change = partial(api, "UpdateFunctionConfiguration", FunctionName="f")

    refused = [await api.refusal(api.create(Role=ROLE, **wanted))]
    await api.created(Role=ROLE, **vpc)
    refused.append(await api.refusal(change(**_params())))
    await change(Role=ROLE + "2", **_params())
    await api.service.close()
    refused.append(await api.refusal(change(Role=ROLE)))
    await change(Role=ROLE, FileSystemConfigs=[])

    assert {error.message for error in refused} == {
        f"The provided execution role does not have permissions to call {missing} on EFS"
    }


def test_a_directory_within_another_is_refused(tmp_path):
    """Also behind a link: a function could put one in place of the inner directory."""
    outer, inner, link = tmp_path / "fs", tmp_path / "fs" / "sub", tmp_path / "link"
    inner.mkdir(parents=True)
    link.symlink_to(inner)
    option = partial(file_systems, click.Context(click.Command("serve")), click.Option(["--x"]))

    with pytest.raises(click.BadParameter, match="lies within"):
        option((f"{OTHER}={link}", f"{ARN}={outer}"))
    assert option((f"{OTHER}={link}", f"{ARN}={inner}")) == ((OTHER, inner), (ARN, inner))


def test_an_empty_list_takes_the_file_system_away():
    """As for all lists of a function's settings."""
    assert file_system([]) is None
    assert file_system(_params()["FileSystemConfigs"]) == FileSystem(ARN, "/mnt/data")


def test_a_file_system_needs_a_vpc():
    """As on AWS, with its words."""
    system = FileSystem(ARN, "/mnt/data")

    error = _refused(lambda: check_file_system(_function(file_system=system)))

    assert error.message == (
        f"Function must be configured to execute in a VPC to reference access point {ARN}."
    )
    check_file_system(_function(file_system=system, vpc=VPC))
    check_file_system(_function())


def test_a_file_system_and_snapstart_do_not_go_together():
    """A snapshot would hold open files of it."""
    function = _function(file_system=FileSystem(ARN, "/mnt/data"), vpc=VPC, snap_start=True)

    assert "SnapStart" in _refused(lambda: check_file_system(function)).message


async def test_create_refuses_an_access_point_without_a_directory(api):
    """A server without the option has none, and nothing is stored."""
    error = await api.refusal(api.create(**_params()))

    assert error.code == "InvalidParameterValueException"
    assert api.catalog.lookup(*api.key()) is None
