"""Layers through real clients, in real environments."""

import json
import urllib.request

import pytest
from hands import ApiError
from material import make_zip

READER = """
    import importlib
    import os
    import sys

    def lambda_handler(event, context):
        if "module" in event:
            return importlib.import_module(event["module"]).NAME
        if "write" in event:
            try:
                open("/opt/new", "w")
            except OSError as error:
                return error.strerror
        return {"opt": sorted(os.listdir("/opt")), "path": sys.path}
"""


@pytest.fixture
def publish(boto):
    """Publishes a layer of Python modules; its ARN. Gone after the test."""
    made = []

    def make(name, **modules):
        content = {"ZipFile": make_zip(**modules)}
        answer = boto.call("lambda", "PublishLayerVersion", LayerName=name, Content=content)
        made.append((name, answer["Version"]))
        return answer["LayerVersionArn"]

    yield make
    for name, version in made:
        boto.call("lambda", "DeleteLayerVersion", LayerName=name, VersionNumber=version)


@pytest.mark.parametrize("variables", [{}, {"PYTHONHASHSEED": "1"}])
def test_functions_import_from_their_layers(boto, make_function, publish, variables):
    """From /opt/python and from site-packages of the version, later layers over earlier ones.

    A forked runtime and one that is started as a program look in the same places.
    """
    one = publish(
        "one",
        **{
            "python/shared": "NAME = 'one'",
            "python/first": "NAME = 'first'",
            "python/lib/python3.12/site-packages/packaged": "NAME = 'packaged'",
        },
    )
    two = publish("two", **{"python/shared": "NAME = 'two'", "bin/tool": ""})
    name = make_function(READER, Layers=[one, two], Environment={"Variables": variables})

    def imported(module):
        return boto.invoke(name, f'{{"module": "{module}"}}'.encode()).json()

    assert imported("shared") == "two"
    assert imported("first") == "first"
    assert imported("packaged") == "packaged"
    seen = boto.invoke(name, b"{}").json()
    assert seen["opt"] == ["bin", "python"]
    assert seen["path"][:3] == [
        "/var/task",
        "/opt/python/lib/python3.12/site-packages",
        "/opt/python",
    ]


def test_opt_cannot_be_written(boto, make_function, publish):
    """As /var/task cannot; and without layers it is empty."""
    layered = make_function(READER, Layers=[publish("solo", **{"python/m": "NAME = 1"})])
    bare = make_function(READER)

    assert boto.invoke(layered, b'{"write": 1}').json() == "Read-only file system"
    assert boto.invoke(bare, b'{"write": 1}').json() == "Read-only file system"
    assert boto.invoke(bare, b"{}").json()["opt"] == []


def test_layers_can_be_replaced_and_outlive_their_deletion(hands, make_function, fresh_layer):
    """A new list is seen at the next invocation; a deleted version goes on working."""
    first = fresh_layer(hands, "NAME = 'first'")
    second = fresh_layer(hands, "NAME = 'second'")
    name = make_function(READER, Layers=[first])

    before = hands.invoke(name, b'{"module": "m"}').json()
    hands.call("lambda", "UpdateFunctionConfiguration", FunctionName=name, Layers=[second])
    hands.wait("lambda", "FunctionUpdatedV2", FunctionName=name)
    layer, _, number = second.rpartition(":")
    hands.call("lambda", "DeleteLayerVersion", LayerName=layer, VersionNumber=int(number))
    after = hands.invoke(name, b'{"module": "m"}').json()

    assert (before, after) == ("first", "second")


@pytest.fixture
def fresh_layer(tmp_path):
    """Publishes one module `m` by any client; the ARN of the version."""

    def publish(hands, source):
        content = {"ZipFile": make_zip(**{"python/m": source})}
        if hasattr(hands, "run"):
            path = tmp_path / "layer.zip"
            path.write_bytes(content["ZipFile"])
            done = hands.run(
                *("lambda", "publish-layer-version", "--layer-name", "fresh"),
                *("--zip-file", f"fileb://{path}", "--query", "LayerVersionArn"),
                *("--output", "text"),
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.strip()
        answer = hands.call("lambda", "PublishLayerVersion", LayerName="fresh", Content=content)
        return answer["LayerVersionArn"]

    return publish


def test_the_content_of_a_layer_can_be_downloaded(boto, publish):
    """By the link that GetLayerVersion gives."""
    arn = publish("linked", **{"python/m": "NAME = 1"})

    answer = boto.call("lambda", "GetLayerVersionByArn", Arn=arn)

    with urllib.request.urlopen(answer["Content"]["Location"]) as response:
        assert response.read() == make_zip(**{"python/m": "NAME = 1"})


def test_a_layer_is_listed_shown_and_granted(hands, publish):
    """Every version of it, by name and by what it fits; its policy is read back as it was set."""
    arns = [publish("shown", module="pass"), publish("shown", module="...")]
    first = {"LayerName": "shown", "VersionNumber": int(arns[0].rpartition(":")[2])}

    listed = hands.call("lambda", "ListLayers")["Layers"]
    versions = hands.call("lambda", "ListLayerVersions", LayerName="shown")["LayerVersions"]
    fitting = hands.call("lambda", "ListLayers", CompatibleRuntime="python3.12")["Layers"]
    shown = hands.call("lambda", "GetLayerVersion", **first)
    with urllib.request.urlopen(shown["Content"]["Location"]) as response:
        assert response.read() == make_zip(module="pass")
    added = hands.call(
        "lambda",
        "AddLayerVersionPermission",
        StatementId="all",
        Action="lambda:GetLayerVersion",
        Principal="*",
        **first,
    )
    policy = hands.call("lambda", "GetLayerVersionPolicy", **first)
    hands.call("lambda", "RemoveLayerVersionPermission", StatementId="all", **first)
    with pytest.raises(ApiError) as caught:
        hands.call("lambda", "GetLayerVersionPolicy", **first)

    latest = {each["LayerName"]: each["LatestMatchingVersion"] for each in listed}
    assert latest["shown"]["LayerVersionArn"] == arns[1]
    assert [each["LayerVersionArn"] for each in versions] == arns[::-1]
    assert "shown" not in {each["LayerName"] for each in fitting}
    assert shown["LayerVersionArn"] == arns[0]
    assert json.loads(policy["Policy"])["Statement"] == [json.loads(added["Statement"])]
    assert policy["RevisionId"] == added["RevisionId"]
    assert caught.value.message == "No policy is associated with the given resource."
