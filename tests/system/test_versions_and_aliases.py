"""Versions and aliases through real clients, with real environments."""

from collections import Counter

import pytest
from hands import ApiError
from material import make_zip

SOURCE = """
    import os

    def lambda_handler(event, context):
        return {
            "text": os.environ["TEXT"],
            "version": os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
            "context": context.function_version,
            "arn": context.invoked_function_arn,
        }
"""
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"


@pytest.fixture
def published(boto, make_function):
    """A function with version 1 (TEXT one), version 2 (two) and $LATEST (three)."""
    name = make_function(SOURCE, Environment={"Variables": {"TEXT": "one"}})
    for text in ("two", "three"):
        boto.call("lambda", "PublishVersion", FunctionName=name)
        variables = {"Variables": {"TEXT": text}}
        boto.call("lambda", "UpdateFunctionConfiguration", FunctionName=name, Environment=variables)
        boto.wait("lambda", "FunctionUpdatedV2", FunctionName=name)
    return name


def test_each_qualifier_runs_its_own(hands, published):
    """Code, environment, version and ARN inside are those of what was asked for."""
    hands.call("lambda", "CreateAlias", FunctionName=published, Name="live", FunctionVersion="2")

    for qualifier, version, text in (
        ("", "$LATEST", "three"),
        (":$LATEST", "$LATEST", "three"),
        (":1", "1", "one"),
        (":live", "2", "two"),
    ):
        answer = hands.invoke(published + qualifier)

        assert answer.version == version
        assert answer.json() == {
            "text": text,
            "version": version,
            "context": version,
            "arn": f"{ARN}{published}{qualifier}",
        }


def test_a_moved_alias_runs_the_other_version_at_once(hands, published):
    """Until it is moved back."""
    hands.call("lambda", "CreateAlias", FunctionName=published, Name="live", FunctionVersion="1")
    before = hands.invoke(published, Qualifier="live")
    hands.call("lambda", "UpdateAlias", FunctionName=published, Name="live", FunctionVersion="2")
    after = hands.invoke(published, Qualifier="live")

    assert (before.version, after.version) == ("1", "2")


def test_weights_share_out_invocations_exactly(boto, published):
    """A fifth of a hundred invocations is twenty, and the answer says which version ran."""
    boto.call(
        "lambda",
        "CreateAlias",
        FunctionName=published,
        Name="canary",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.2}},
    )

    ran = Counter()
    for _ in range(100):
        answer = boto.invoke(published, Qualifier="canary")
        assert answer.json()["version"] == answer.version
        ran[answer.version] += 1

    assert ran == {"1": 80, "2": 20}


def test_a_deleted_version_cannot_be_invoked(hands, published):
    """404 with its ARN; others run on."""
    hands.invoke(published, Qualifier="1")
    hands.call("lambda", "DeleteFunction", FunctionName=published, Qualifier="1")

    with pytest.raises(ApiError) as caught:
        hands.invoke(published, Qualifier="1")

    assert caught.value.code == "ResourceNotFoundException"
    assert caught.value.message == f"Function not found: {ARN}{published}:1"
    assert hands.invoke(published, Qualifier="2").json()["text"] == "two"


def test_a_version_published_with_its_code_is_ready_for_its_waiter(hands, published):
    """The published version becomes Active and runs the new code."""
    made = hands.call(
        "lambda",
        "UpdateFunctionCode",
        FunctionName=published,
        ZipFile=make_zip(lambda_function=SOURCE.replace("text", "words")),
        Publish=True,
    )
    hands.wait(
        "lambda", "PublishedVersionActive", FunctionName=published, Qualifier=made["Version"]
    )

    answer = hands.invoke(published, Qualifier=made["Version"])

    assert (made["Version"], answer.json()["words"]) == ("3", "three")
    versions = hands.call("lambda", "ListVersionsByFunction", FunctionName=published)["Versions"]
    assert [each["Version"] for each in versions] == ["$LATEST", "1", "2", "3"]


def test_an_alias_is_shown_until_it_is_deleted(hands, published):
    """Then it runs nothing, and may be deleted again."""
    name = {"FunctionName": published, "Name": "live"}

    made = hands.call("lambda", "CreateAlias", FunctionVersion="1", Description="d", **name)
    shown = hands.call("lambda", "GetAlias", **name)
    hands.call("lambda", "DeleteAlias", **name)
    hands.call("lambda", "DeleteAlias", **name)
    with pytest.raises(ApiError) as caught:
        hands.call("lambda", "GetAlias", **name)
    with pytest.raises(ApiError) as refused:
        hands.invoke(f"{published}:live")

    assert shown == made
    assert shown["AliasArn"] == f"{ARN}{published}:live"
    assert caught.value.message == f"Cannot find alias arn: {ARN}{published}:live"
    assert refused.value.message == f"Function not found: {ARN}{published}:live"
