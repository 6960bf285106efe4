"""File systems of functions: which may be asked for, and what is shown."""

import pytest

from emberbox.errors import CallerError
from emberbox.functions.file_systems import AccessPoints, check_file_system, file_system
from emberbox.model.function import FileSystem, FunctionVersion, Logging, Vpc

ARN = "arn:aws:elasticfilesystem:us-east-1:123456789012:access-point/fsap-0123456789abcdef0"
OTHER = ARN.replace("fsap-0", "fsap-1")
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

    points.check(_params())
    points.check({"FileSystemConfigs": []})
    points.check({})


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
    error = _refused(lambda: AccessPoints([ARN]).check(params))

    assert (error.code, part in error.message) == ("InvalidParameterValueException", True)


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
