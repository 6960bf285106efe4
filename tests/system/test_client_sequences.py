"""What tools do with functions, as sequences of calls; what SDKs wait and page for."""

import pytest
from hands import ApiError
from material import make_zip

HELLO = "def lambda_handler(event, context):\n    return event\n"


def test_paginators_show_everything_once(boto, make_function):
    """Functions, versions, aliases and layers, however small the pages are."""
    names = {make_function(HELLO) for _ in range(3)}
    name = min(names)
    for number in range(4):
        boto.call(
            "lambda", "UpdateFunctionConfiguration", FunctionName=name, Description=str(number)
        )
        boto.wait("lambda", "FunctionUpdatedV2", FunctionName=name)
        version = boto.call("lambda", "PublishVersion", FunctionName=name)["Version"]
        boto.call(
            "lambda", "CreateAlias", FunctionName=name, Name=f"a{number}", FunctionVersion=version
        )
    client = boto.client("lambda")

    def pages(operation, member, **parameters):
        paginator = client.get_paginator(operation)
        options = {"PaginationConfig": {"PageSize": 2}}
        return [
            each for page in paginator.paginate(**parameters, **options) for each in page[member]
        ]

    functions = [each["FunctionName"] for each in pages("list_functions", "Functions")]
    versions = pages("list_versions_by_function", "Versions", FunctionName=name)
    aliases = pages("list_aliases", "Aliases", FunctionName=name)
    everything = pages("list_functions", "Functions", FunctionVersion="ALL")

    assert names <= set(functions)
    assert len(functions) == len(set(functions))
    assert [each["Version"] for each in versions] == ["$LATEST", "1", "2", "3", "4"]
    assert [each["Name"] for each in aliases] == ["a0", "a1", "a2", "a3"]
    assert sum(each["FunctionName"] == name for each in everything) == 5


@pytest.mark.parametrize(
    "waiter", ["FunctionExists", "FunctionActive", "FunctionActiveV2", "FunctionUpdatedV2"]
)
def test_waiters_return(hands, make_function, waiter):
    """Each at its first look."""
    name = make_function(HELLO)

    hands.wait("lambda", waiter, FunctionName=name)


def test_what_terraform_reads_back(boto, make_function):
    """Create, read, plan without a difference, change, read, delete, read."""
    layer = boto.call(
        "lambda",
        "PublishLayerVersion",
        LayerName="terraformed",
        Content={"ZipFile": make_zip(**{"python/m": ""})},
    )
    wanted = {
        "Description": "by terraform",
        "Timeout": 30,
        "MemorySize": 256,
        "Environment": {"Variables": {"STAGE": "test"}},
        "Layers": [layer["LayerVersionArn"]],
        "Tags": {"managed": "yes"},
        "Publish": True,
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 1024},
    }
    name = make_function(HELLO, **wanted)

    read = boto.call("lambda", "GetFunction", FunctionName=name)
    configuration = read["Configuration"]
    versions = boto.call("lambda", "ListVersionsByFunction", FunctionName=name)["Versions"]
    signing = boto.call("lambda", "GetFunctionCodeSigningConfig", FunctionName=name)
    with pytest.raises(ApiError) as no_policy:
        boto.call("lambda", "GetPolicy", FunctionName=name)

    for member in ("Description", "Timeout", "MemorySize", "Environment", "EphemeralStorage"):
        assert configuration[member] == wanted[member]
    assert [each["Arn"] for each in configuration["Layers"]] == wanted["Layers"]
    assert read["Tags"] == wanted["Tags"]
    assert "Concurrency" not in read
    assert not {"VpcConfig", "KMSKeyArn", "DeadLetterConfig", "ImageConfigResponse"} & set(
        configuration
    )
    assert [each["Version"] for each in versions] == ["$LATEST", "1"]
    assert signing == {"FunctionName": name}
    assert no_policy.value.code == "ResourceNotFoundException"

    boto.call("lambda", "UpdateFunctionConfiguration", FunctionName=name, Layers=[], Timeout=31)
    boto.wait("lambda", "FunctionUpdatedV2", FunctionName=name)
    boto.call("lambda", "PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=2)
    changed = boto.call("lambda", "GetFunction", FunctionName=name)
    boto.call("lambda", "DeleteFunctionConcurrency", FunctionName=name)
    boto.call("lambda", "DeleteFunction", FunctionName=name)
    with pytest.raises(ApiError) as gone:
        boto.call("lambda", "GetFunction", FunctionName=name)

    assert "Layers" not in changed["Configuration"]
    assert changed["Configuration"]["Timeout"] == 31
    assert changed["Concurrency"] == {"ReservedConcurrentExecutions": 2}
    assert gone.value.code == "ResourceNotFoundException"
