"""Policies that ask for tags, of what is touched and of what is made, where they are enforced."""

import json

import pytest
from secured import ACCOUNT, TRUST, Secured, allow, document, secured

RED = {"StringEquals": {"aws:ResourceTag/team": "red"}}
LISTED = [{"Key": "team", "Value": "red"}]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    place = tmp_path_factory.mktemp("tags-decide")
    with secured(place) as server:
        yield Secured(server, place)
    said = (place / "log").read_text("utf-8", "replace")
    assert "Traceback" not in said, said
    assert " ERROR " not in said, said


@pytest.fixture(scope="module")
def red(here):
    """Whoever may do everything to what is tagged with the red team."""
    return here.user("red", allow("*", Condition=RED))


def queues(root):
    for color in ("red", "blue"):
        url = root.may("sqs", "create_queue", QueueName=color, tags={"team": color})["QueueUrl"]
        yield "sqs", "get_queue_attributes", {"QueueUrl": url}


def topics(root):
    for color in ("red", "blue"):
        tags = [{"Key": "Team", "Value": color}]
        arn = root.may("sns", "create_topic", Name=color, Tags=tags)["TopicArn"]
        yield "sns", "publish", {"TopicArn": arn, "Message": "m"}


def roles(root):
    for color in ("red", "blue"):
        tags = [{"Key": "team", "Value": color}]
        name, trust = f"of-{color}", document(TRUST)
        root.may("iam", "create_role", RoleName=name, AssumeRolePolicyDocument=trust, Tags=tags,
                 Path="/teams/")  # fmt: skip
        yield "iam", "get_role", {"RoleName": name}


def users(root):
    for color in ("red", "blue"):
        name = f"of-{color}"
        root.may("iam", "create_user", UserName=name, Tags=[{"Key": "team", "Value": color}])
        yield "iam", "get_user", {"UserName": name}


def log_groups(root):
    for color in ("red", "blue"):
        name = f"/{color}"
        root.may("logs", "create_log_group", logGroupName=name, tags={"team": color})
        yield "logs", "create_log_stream", {"logGroupName": name, "logStreamName": "s"}


def rules(root):
    for color in ("red", "blue"):
        pattern = json.dumps({"source": [color]})
        root.may("events", "put_rule", Name=color, EventPattern=pattern,
                 Tags=[{"Key": "team", "Value": color}])  # fmt: skip
        yield "events", "describe_rule", {"Name": color}


def schedule_groups(root):
    for color in ("red", "blue"):
        tags = [{"Key": "team", "Value": color}]
        root.may("scheduler", "create_schedule_group", Name=color, Tags=tags)
        yield "scheduler", "get_schedule_group", {"Name": color}


def signing_configs(root):
    publishers = [f"arn:aws:signer:us-east-1:{ACCOUNT}:/signing-profiles/p/0123456789"]
    for color in ("red", "blue"):
        made = root.may("lambda", "create_code_signing_config", Tags={"team": color},
                        AllowedPublishers={"SigningProfileVersionArns": publishers})  # fmt: skip
        arn = made["CodeSigningConfig"]["CodeSigningConfigArn"]
        yield "lambda", "get_code_signing_config", {"CodeSigningConfigArn": arn}


@pytest.mark.parametrize(
    "made", [queues, topics, roles, users, log_groups, rules, schedule_groups, signing_configs]
)
def test_the_tags_of_what_is_touched_decide(here, red, made):
    """Only what belongs to one's own team can be used, and only as long as it does."""
    (service, operation, own), (_, _, others) = made(here.as_root)
    assert own != others

    red.may(service, operation, **own)

    code, message, _ = red.denied(service, operation, **others)
    assert code in {"AccessDenied", "AccessDeniedException", "AuthorizationError"}
    assert "no identity-based policy allows" in message


def test_sessions_of_roles_are_given_by_their_tags(here):
    """IAM has a key of its own for tags, which means the same."""
    tagged = {"StringEquals": {"iam:ResourceTag/crew": "night"}}
    guard = here.user("guard", allow("sts:AssumeRole", Condition=tagged))
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
    }
    for crew in ("night", "day"):
        tags = [{"Key": "crew", "Value": crew}]
        here.as_root.may("iam", "create_role", RoleName=f"crew-{crew}", Tags=tags,
                         AssumeRolePolicyDocument=document(trust))  # fmt: skip

    guard.assume(f"arn:aws:iam::{ACCOUNT}:role/crew-night")
    day = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/crew-day", "RoleSessionName": "me"}
    assert guard.denied("sts", "assume_role", **day)[0] == "AccessDenied"


def test_a_change_of_tags_counts_at_once(here, red):
    """What has been given to another team cannot be used any more."""
    url = here.as_root.may("sqs", "create_queue", QueueName="moved", tags={"team": "red"})
    red.may("sqs", "get_queue_attributes", QueueUrl=url["QueueUrl"])

    here.as_root.may("sqs", "tag_queue", QueueUrl=url["QueueUrl"], Tags={"team": "blue"})

    red.denied("sqs", "get_queue_attributes", QueueUrl=url["QueueUrl"])


def test_the_tags_of_what_is_made_decide(here):
    """Creation with the tag that is asked for, and with no other tags; not without."""
    made = {
        "StringEquals": {"aws:RequestTag/team": "red"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]},
    }
    maker = here.user("maker", allow("*", Condition=made))

    maker.may("sqs", "create_queue", QueueName="made", tags={"team": "red"})
    maker.may("sns", "create_topic", Name="made", Tags=LISTED)
    maker.may("iam", "create_user", UserName="made", Tags=LISTED)
    maker.may("logs", "create_log_group", logGroupName="/made", tags={"team": "red"})
    maker.may("scheduler", "create_schedule_group", Name="made", Tags=LISTED)

    maker.denied("sqs", "create_queue", QueueName="other")
    maker.denied("sns", "create_topic", Name="other", Tags=[{"Key": "team", "Value": "blue"}])
    more = [*LISTED, {"Key": "cost", "Value": "1"}]
    maker.denied("iam", "create_user", UserName="other", Tags=more)
    maker.denied("logs", "create_log_group", logGroupName="/other", tags={"Other": "red"})


def test_tags_of_objects_decide(here):
    """Of those that are there (s3:ExistingObjectTag), and of those that come."""
    s3 = here.as_root.client("s3")
    s3.create_bucket(Bucket="tagged-objects")
    for key in ("open", "shut"):
        s3.put_object(Bucket="tagged-objects", Key=key, Body=b"1", Tagging=f"state={key}")
    reading = allow(
        "s3:GetObject", Condition={"StringEquals": {"s3:ExistingObjectTag/state": "open"}}
    )
    writing = allow(
        "s3:PutObject", Condition={"StringEquals": {"s3:RequestObjectTag/state": "open"}}
    )
    own = allow("s3:PutObjectTagging")
    guest = here.user("guest", reading, writing, own)

    place = {"Bucket": "tagged-objects"}
    guest.may("s3", "get_object", **place, Key="open")
    guest.may("s3", "put_object", **place, Key="new", Body=b"2", Tagging="state=open")

    guest.denied("s3", "get_object", **place, Key="shut")
    guest.denied("s3", "put_object", **place, Key="more", Body=b"2", Tagging="state=shut")
    guest.denied("s3", "put_object", **place, Key="more", Body=b"2")
