"""Settings that most functions do not have: VPC, dead letters, keys, tracing, images."""

from functools import partial

import pytest

from emberbox.invoke.async_entry import FunctionPolicies
from emberbox.model.async_invocation import QueuedEvent

INVALID = "InvalidParameterValueException"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:letters"
TOPIC = QUEUE.replace("sqs", "sns")
KEY_ARN = "arn:aws:kms:us-east-1:123456789012:key/k"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/repository:tag"
VPC = {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
SETTINGS = {
    "VpcConfig": VPC,
    "DeadLetterConfig": {"TargetArn": QUEUE},
    "KMSKeyArn": KEY_ARN,
    "TracingConfig": {"Mode": "Active"},
}


def letters_to(target):
    """The setting that names a dead letter target."""
    return {"DeadLetterConfig": {"TargetArn": target}}


def without_vpc_id(shown):
    """The VPC as it was asked for."""
    members = dict(shown)
    assert members.pop("VpcId").startswith("vpc-")
    return {**members, "Ipv6AllowedForDualStack": members["Ipv6AllowedForDualStack"]}


async def test_they_are_shown_as_they_were_given(api, make_api):
    """At creation, afterwards, in versions, and after a restart."""
    made = await api.create(**SETTINGS)
    await api.service.close()
    version = await api("PublishVersion", FunctionName="f")
    later = make_api()
    await later.store.load()
    found = await later("GetFunctionConfiguration", FunctionName="f")

    for shown in (made, version, found):
        assert without_vpc_id(shown["VpcConfig"]) == {**VPC, "Ipv6AllowedForDualStack": False}
        for member in ("DeadLetterConfig", "KMSKeyArn", "TracingConfig"):
            assert shown[member] == SETTINGS[member]


@pytest.mark.parametrize("member", ["SubnetIds", "SecurityGroupIds"])
async def test_subnets_and_security_groups_come_together(api, member):
    """Or there are none of either."""
    await api.created()
    half = {**VPC, member: []}

    made = await api.refusal(api.create("g", VpcConfig=half))
    updated = await api.refusal(
        api("UpdateFunctionConfiguration", FunctionName="f", VpcConfig=half)
    )

    assert made.code == updated.code == INVALID
    assert made.message == "SubnetIds and SecurityIds must coexist or be both empty list."


@pytest.mark.parametrize(
    ("setting", "action", "resource", "text"),
    [
        (letters_to(QUEUE), "sqs:SendMessage", QUEUE, "SendMessage on SQS"),
        (letters_to(TOPIC), "sns:Publish", TOPIC, "Publish on SNS"),
        *(
            ({"VpcConfig": VPC}, f"ec2:{action}", "*", f"{action} on EC2")
            for action in (
                "CreateNetworkInterface",
                "DescribeNetworkInterfaces",
                "DeleteNetworkInterface",
            )
        ),
    ],
)
async def test_the_role_must_be_allowed_what_its_function_needs(
    make_api, setting, action, resource, text
):
    """When the function is made, when it gets the setting, and when it gets another role."""
    able, unable = "arn:aws:iam::123456789012:role/able", "arn:aws:iam::123456789012:role/unable"

    async def rights(*question):
        return question != (unable, action, resource)

    api = make_api(rights=rights)
    gone = {member: {} for member in setting}
    change = partial(api, "UpdateFunctionConfiguration", FunctionName="f")

    refused = [await api.refusal(api.create(Role=unable, **setting))]
    await api.created(Role=unable)
    refused.append(await api.refusal(change(**setting)))
    await change(Role=able, **setting)
    await api.service.close()
    refused.append(await api.refusal(change(Role=unable)))
    await change(Role=unable, **gone)
    await api.service.close()

    assert {(error.code, error.message) for error in refused} == {
        (INVALID, f"The provided execution role does not have permissions to call {text}")
    }


async def test_they_stay_until_they_are_taken_away(api):
    """An update that does not name them leaves them; the empty forms remove them. Of a VPC an empty
    one stays, as on AWS."""
    await api.created(**SETTINGS)

    kept = await api("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    await api.service.close()
    gone = await api(
        "UpdateFunctionConfiguration",
        FunctionName="f",
        VpcConfig={"SubnetIds": [], "SecurityGroupIds": []},
        DeadLetterConfig={"TargetArn": ""},
        KMSKeyArn="",
        TracingConfig={"Mode": "PassThrough"},
    )

    assert SETTINGS.keys() <= kept.keys()
    assert not {"DeadLetterConfig", "KMSKeyArn"} & gone.keys()
    assert gone["VpcConfig"] == {
        "SubnetIds": [],
        "SecurityGroupIds": [],
        "VpcId": "",
        "Ipv6AllowedForDualStack": False,
    }
    assert gone["TracingConfig"] == {"Mode": "PassThrough"}


@pytest.mark.parametrize(
    "target",
    [
        "arn:aws:lambda:us-east-1:123456789012:function:g",
        "arn:aws:s3:::bucket",
        "arn:aws:sqs:us-east-1:123456789012:letters.fifo",
        "arn:aws:sns:us-east-1:123456789012:letters.fifo",
    ],
)
async def test_dead_letters_go_to_standard_queues_and_topics(api, target):
    """Nothing else, and the error names it."""
    error = await api.refusal(api.create(DeadLetterConfig={"TargetArn": target}))

    assert (error.code, target in error.message) == (INVALID, True)


async def test_events_are_treated_as_the_version_says(api):
    """Dead letters of the version that is meant; switched off with the whole function."""
    await api.created(DeadLetterConfig={"TargetArn": QUEUE})
    await api("PublishVersion", FunctionName="f")
    await api("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    await api("UpdateFunctionConfiguration", FunctionName="f", DeadLetterConfig={"TargetArn": ""})
    await api.service.close()
    policies = FunctionPolicies(api.catalog)

    def policy(qualifier):
        return policies.policy(QueuedEvent(*api.key(), qualifier, "id", b"", 0.0, 0.0))

    assert policy("").dead_letters == ""
    assert policy("1").dead_letters == policy("live").dead_letters == QUEUE
    assert not policy("").is_switched_off
    await api("PutFunctionConcurrency", FunctionName="f", ReservedConcurrentExecutions=0)
    assert policy("").is_switched_off
    assert policy("live").is_switched_off


# -- images ---------------------------------------------------------------------------------------


def image(**params):
    """What creates a function from an image."""
    return {
        "Runtime": None,
        "Handler": None,
        "PackageType": "Image",
        "Code": {"ImageUri": IMAGE},
        **params,
    }


async def test_a_function_from_an_image_fails_and_says_why(api):
    """It is stored and shown as AWS does, then its state is Failed with a plain reason."""
    config = {"EntryPoint": ["/a"], "Command": ["b", "c"], "WorkingDirectory": "/d"}

    made = await api.create(**image(ImageConfig=config))
    await api.service.close()
    shown = await api("GetFunction", FunctionName="f")

    assert (made["State"], made["PackageType"]) == ("Pending", "Image")
    assert made["ImageConfigResponse"] == {"ImageConfig": config}
    assert not {"Runtime", "Handler", "Layers", "RuntimeVersionConfig"} & made.keys()
    assert shown["Code"] == {"RepositoryType": "ECR", "ImageUri": IMAGE}
    assert shown["Configuration"]["State"] == "Failed"
    assert "does not run container images" in shown["Configuration"]["StateReason"]
    update = await api.refusal(
        api("UpdateFunctionCode", FunctionName="f", ImageUri=IMAGE, RevisionId="x")
    )
    assert update.message.endswith("currently in the following state: Failed")
    await api.service.recover()
    await api("DeleteFunction", FunctionName="f")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (image(Runtime="python3.12"), "Please don't provide Handler or Runtime or Layer"),
        (image(Handler="a.b"), "Please don't provide Handler or Runtime or Layer"),
        (image(Code={"ZipFile": b"x"}), "Please provide ImageUri"),
        (image(Code={"ImageUri": "docker.io/x"}), "Source image docker.io/x is not valid."),
        (image(Code={"ImageUri": IMAGE, "ZipFile": b"x"}), "Please do not provide other Function"),
        (image(Code={"ImageUri": IMAGE, "S3Key": "k"}), "Please do not provide other Function"),
        (image(SnapStart={"ApplyOn": "PublishedVersions"}), "SnapStart is not supported for"),
        ({"ImageConfig": {"Command": ["a"]}}, "Please don't provide ImageConfig"),
        ({"Code": {"ImageUri": IMAGE}}, "Please do not provide ImageUri"),
        ({"Runtime": None}, "Runtime and Handler are mandatory parameters"),
    ],
)
async def test_images_and_packages_do_not_mix(api, params, message):
    """At creation."""
    error = await api.refusal(api.create(**params))

    assert error.code == INVALID
    assert error.message.startswith(message)


async def test_a_packaged_function_gets_no_settings_of_images(api):
    """They would have no effect; empty ones, which tools send, ask for nothing."""
    await api.created()

    error = await api.refusal(
        api("UpdateFunctionConfiguration", FunctionName="f", ImageConfig={"Command": ["a"]})
    )
    await api("UpdateFunctionConfiguration", FunctionName="f", ImageConfig={"Command": []})

    assert error.message.startswith("Please don't provide ImageConfig")


async def test_a_function_keeps_its_kind_of_code(api):
    """An update of the code is of the same kind."""
    await api.created()

    error = await api.refusal(api("UpdateFunctionCode", FunctionName="f", ImageUri=IMAGE))

    assert error.message.startswith("Please don't provide ImageUri when updating")
