"""What operations need: every one that is carried has an answer, and the answers are AWS's."""

import pytest

from emberbox.gateway.access.needs import Need, Place
from emberbox.gateway.access.services import ACCESS
from emberbox.gateway.access.tags import tags_context
from emberbox.gateway.catalog import Catalog
from tools.reference import services

HERE = Place("111122223333", "eu-west-1")
LAMBDA = "arn:aws:lambda:eu-west-1:111122223333:"
BY_REQUEST = {"apigateway", "apigatewayv2"}


def test_every_operation_has_an_answer():
    """No operation that is carried falls through to `*` because nobody thought of it."""
    catalog = Catalog()
    for service in services():
        if service.name in BY_REQUEST:
            continue
        access = ACCESS[service.name]
        model = catalog.model(service.name)
        for name in service.operations:
            shape = model.operation(name).input
            members = shape.members if shape is not None else {}
            assert access.knows(name, members), f"{service.name}.{name}"


CASES = [
    (
        "s3",
        "CopyObject",
        {"Bucket": "b", "Key": "k", "CopySource": "a/o?%76ersionId=v", "Tagging": "x=y"},
        [
            ("s3:GetObjectVersion", "arn:aws:s3:::a/o"),
            ("s3:PutObject", "arn:aws:s3:::b/k"),
            ("s3:PutObjectTagging", "arn:aws:s3:::b/k"),
        ],
    ),
    (
        "s3",
        "PutObject",
        {"Bucket": "b", "Key": "k", "ACL": "private", "ObjectLockMode": "GOVERNANCE"},
        [
            ("s3:PutObject", "arn:aws:s3:::b/k"),
            ("s3:PutObjectAcl", "arn:aws:s3:::b/k"),
            ("s3:PutObjectRetention", "arn:aws:s3:::b/k"),
        ],
    ),
    (
        "s3",
        "DeleteObject",
        {"Bucket": "b", "Key": "k", "VersionId": "v", "BypassGovernanceRetention": True},
        [
            ("s3:DeleteObjectVersion", "arn:aws:s3:::b/k"),
            ("s3:BypassGovernanceRetention", "arn:aws:s3:::b/k"),
        ],
    ),
    ("lambda", "ListFunctions", {}, [("lambda:ListFunctions", "*")]),
    (
        "lambda",
        "GetFunction",
        {"FunctionName": "f"},
        [("lambda:GetFunction", LAMBDA + "function:f")],
    ),
    (
        "lambda",
        "GetFunction",
        {"FunctionName": "arn:aws:lambda:us-east-2:999999999999:function:f:1"},
        [("lambda:GetFunction", "arn:aws:lambda:us-east-2:999999999999:function:f")],
    ),
    (
        "lambda",
        "Invoke",
        {"FunctionName": "f", "Qualifier": "live"},
        [("lambda:InvokeFunction", LAMBDA + "function:f:live")],
    ),
    (
        "lambda",
        "CreateFunction",
        {"FunctionName": "f", "Role": "arn:aws:iam::1:role/r", "Layers": ["arn:l:1"]},
        [
            ("lambda:CreateFunction", LAMBDA + "function:f"),
            ("iam:PassRole", "arn:aws:iam::1:role/r"),
            ("lambda:GetLayerVersion", "arn:l:1"),
        ],
    ),
    (
        "lambda",
        "CreateFunction",
        {"FunctionName": "f", "Code": {"S3Bucket": "b", "S3Key": "k"}},
        [("lambda:CreateFunction", LAMBDA + "function:f"), ("s3:GetObject", "arn:aws:s3:::b/k")],
    ),
    (
        "lambda",
        "UpdateFunctionCode",
        {"FunctionName": "f", "S3Bucket": "b", "S3Key": "k", "S3ObjectVersion": "v"},
        [
            ("lambda:UpdateFunctionCode", LAMBDA + "function:f"),
            ("s3:GetObjectVersion", "arn:aws:s3:::b/k"),
        ],
    ),
    (
        "lambda",
        "PublishLayerVersion",
        {"LayerName": "l", "Content": {"S3Bucket": "b", "S3Key": "k"}},
        [("lambda:PublishLayerVersion", LAMBDA + "layer:l"), ("s3:GetObject", "arn:aws:s3:::b/k")],
    ),
    (
        "lambda",
        "GetLayerVersion",
        {"LayerName": "l", "VersionNumber": 3},
        [("lambda:GetLayerVersion", LAMBDA + "layer:l:3")],
    ),
    (
        "lambda",
        "DeleteEventSourceMapping",
        {"UUID": "u"},
        [("lambda:DeleteEventSourceMapping", LAMBDA + "event-source-mapping:u")],
    ),
    (
        "sqs",
        "SendMessageBatch",
        {"QueueUrl": "http://h:1/999999999999/q"},
        [("sqs:SendMessage", "arn:aws:sqs:eu-west-1:999999999999:q")],
    ),
    (
        "logs",
        "PutLogEvents",
        {"logGroupName": "/g", "logStreamName": "s"},
        [("logs:PutLogEvents", "arn:aws:logs:eu-west-1:111122223333:log-group:/g:log-stream:s")],
    ),
    (
        "logs",
        "DescribeLogGroups",
        {"logGroupNamePrefix": "/g"},
        [("logs:DescribeLogGroups", "arn:aws:logs:eu-west-1:111122223333:log-group::log-stream:")],
    ),
    ("sts", "GetCallerIdentity", {}, []),
    (
        "sts",
        "AssumeRole",
        {"RoleArn": "r", "RoleSessionName": "s", "Tags": [{"Key": "a", "Value": "b"}]},
        [("sts:AssumeRole", "r"), ("sts:TagSession", "r")],
    ),
    (
        "iam",
        "AttachRolePolicy",
        {"RoleName": "r", "PolicyArn": "p"},
        [("iam:AttachRolePolicy", "arn:aws:iam::111122223333:role/r")],
    ),
    (
        "iam",
        "CreateUser",
        {"UserName": "u", "Path": "/a/"},
        [("iam:CreateUser", "arn:aws:iam::111122223333:user/a/u")],
    ),
    (
        "s3",
        "DeleteObjects",
        {"Bucket": "b", "Delete": {"Objects": [{"Key": "x"}, {"Key": "y", "VersionId": "1"}]}},
        [],
    ),
    (
        "s3",
        "CopyObject",
        {"Bucket": "b", "Key": "k", "CopySource": "/a/%73ecret%20one?versionId=1"},
        [
            ("s3:GetObjectVersion", "arn:aws:s3:::a/secret one"),
            ("s3:PutObject", "arn:aws:s3:::b/k"),
        ],
    ),
    ("s3", "HeadObject", {"Bucket": "b", "Key": "k"}, [("s3:GetObject", "arn:aws:s3:::b/k")]),
    ("s3", "ListObjectsV2", {"Bucket": "b"}, [("s3:ListBucket", "arn:aws:s3:::b")]),
    (
        "dynamodb",
        "TransactWriteItems",
        {"TransactItems": [{"Put": {"TableName": "t"}}, {"ConditionCheck": {"TableName": "u"}}]},
        [
            ("dynamodb:PutItem", "arn:aws:dynamodb:eu-west-1:111122223333:table/t"),
            ("dynamodb:ConditionCheckItem", "arn:aws:dynamodb:eu-west-1:111122223333:table/u"),
        ],
    ),
    (
        "events",
        "PutEvents",
        {"Entries": [{"EventBusName": "b"}, {}]},
        [
            ("events:PutEvents", "arn:aws:events:eu-west-1:111122223333:event-bus/b"),
            ("events:PutEvents", "arn:aws:events:eu-west-1:111122223333:event-bus/default"),
        ],
    ),
    (
        "ssm",
        "GetParameters",
        {"Names": ["/a", "b"]},
        [
            ("ssm:GetParameters", "arn:aws:ssm:eu-west-1:111122223333:parameter/a"),
            ("ssm:GetParameters", "arn:aws:ssm:eu-west-1:111122223333:parameter/b"),
        ],
    ),
]


@pytest.mark.parametrize(("service", "operation", "params", "expected"), CASES)
def test_needs(service, operation, params, expected):
    """Actions and ARNs are those of the Service Authorization Reference."""
    found = ACCESS[service].needs(operation, HERE, params)
    assert [(need.action, need.resource) for need in found] == expected


def test_contexts():
    """Conditions may ask for what a request passes on, sets, or tags."""
    role = {"FunctionName": "f", "Role": "arn:aws:iam::1:role/r"}
    passed = ACCESS["lambda"].needs("CreateFunction", HERE, role)[1]
    assert passed.context == {"iam:passedtoservice": ("lambda.amazonaws.com",)}
    added = {"FunctionName": "f", "Principal": "s3.amazonaws.com"}
    (need,) = ACCESS["lambda"].needs("AddPermission", HERE, added)
    assert isinstance(need, Need)
    assert need.context["lambda:principal"] == ("s3.amazonaws.com",)
    tagged = {"aws:requesttag/team": ("red",), "aws:tagkeys": ("Team",)}
    assert tags_context({"Tags": {"Team": "red"}}) == tagged
    assert tags_context({"Tags": [{"Key": "Team", "Value": "red"}]}) == tagged
    assert tags_context({"TagKeys": ["a"]}) == {"aws:tagkeys": ("a",)}
    assert tags_context({"tags": ["a"]}) == {"aws:tagkeys": ("a",)}
    bucket = {
        "Bucket": "b",
        "CreateBucketConfiguration": {"Tags": [{"Key": "Team", "Value": "red"}]},
    }
    assert tags_context(bucket) == tagged


def test_tags_of_objects_have_keys_of_their_own():
    """From the header of an upload and from the document of PutObjectTagging."""
    expected = {"s3:requestobjecttag/team": ("red",), "s3:requestobjecttagkeys": ("Team",)}
    document = {"TagSet": [{"Key": "Team", "Value": "red"}]}
    assert tags_context({"Bucket": "b", "Key": "k", "Tagging": "Team=red"}) == expected
    assert tags_context({"Bucket": "b", "Key": "k", "Tagging": document}) == expected
    assert tags_context({"Bucket": "b", "Tagging": document}) == {}


@pytest.mark.parametrize(
    ("operation", "params", "context"),
    [
        (
            "ListObjectsV2",
            {"Prefix": "home/", "Delimiter": "/", "MaxKeys": 5},
            {"s3:prefix": ("home/",), "s3:delimiter": ("/",), "s3:max-keys": ("5",)},
        ),
        ("ListObjectsV2", {"Prefix": ""}, {"s3:prefix": ("",)}),
        ("ListObjectsV2", {}, {}),
        (
            "PutObject",
            {"Key": "k", "ServerSideEncryption": "aws:kms", "ACL": "private"},
            {"s3:x-amz-server-side-encryption": ("aws:kms",), "s3:x-amz-acl": ("private",)},
        ),
        (
            "PutObject",
            {"Key": "k", "Tagging": "Team=a&b="},
            {
                "s3:requestobjecttag/team": ("a",),
                "s3:requestobjecttag/b": ("",),
                "s3:requestobjecttagkeys": ("Team", "b"),
            },
        ),
        (
            "PutObjectTagging",
            {"Key": "k", "Tagging": {"TagSet": [{"Key": "Team", "Value": "a"}]}},
            {"s3:requestobjecttag/team": ("a",), "s3:requestobjecttagkeys": ("Team",)},
        ),
        ("GetObject", {"Key": "k", "VersionId": "v"}, {"s3:versionid": ("v",)}),
    ],
)
def test_what_a_request_to_a_bucket_says_can_be_a_condition(operation, params, context):
    """Policies may ask for prefixes, encryption, tags: what is not said is no key."""
    for need in ACCESS["s3"].needs(operation, HERE, {"Bucket": "b", **params}):
        assert need.context == context
