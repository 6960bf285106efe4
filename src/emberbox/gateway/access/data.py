"""Queues, topics, streams, tables, buckets: services that hold what functions work on."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from emberbox.gateway.access.needs import Access, Need, Place, itself, named
from emberbox.model.request import Params
from emberbox.model.s3_keys import copy_source


def _queue(value: Any, place: Place, _params: Params) -> str:
    """The queue of a URL, whose path ends in account and name."""
    parts = [part for part in urlsplit(str(value)).path.split("/") if part]
    account = parts[-2] if len(parts) > 1 and parts[-2].isdigit() else place.account
    return f"arn:aws:sqs:{place.region}:{account}:{parts[-1] if parts else ''}"


def _new_queue(value: Any, place: Place, params: Params) -> str:
    account = params.get("QueueOwnerAWSAccountId") or place.account
    return f"arn:aws:sqs:{place.region}:{account}:{value}"


def _task(_value: Any, place: Place, _params: Params) -> str:
    return place.arn("sqs", "*")


SQS = Access(
    "sqs",
    {
        "QueueUrl": _queue,
        "QueueName": _new_queue,
        "SourceArn": itself,
        "TaskHandle": _task,
    },
    actions={
        "SendMessageBatch": "SendMessage",
        "DeleteMessageBatch": "DeleteMessage",
        "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    },
    without=frozenset({"ListQueues"}),
)


def _subscribed(value: Any, _place: Place, _params: Params) -> str:
    """The topic of a subscription, which is what policies name."""
    return str(value).rsplit(":", 1)[0]


_PHONES = frozenset(
    {
        "CheckIfPhoneNumberIsOptedOut",
        "CreatePlatformApplication",
        "CreatePlatformEndpoint",
        "CreateSMSSandboxPhoneNumber",
        "DeleteEndpoint",
        "DeletePlatformApplication",
        "DeleteSMSSandboxPhoneNumber",
        "GetEndpointAttributes",
        "GetPlatformApplicationAttributes",
        "GetSMSAttributes",
        "GetSMSSandboxAccountStatus",
        "ListEndpointsByPlatformApplication",
        "ListOriginationNumbers",
        "ListPhoneNumbersOptedOut",
        "ListPlatformApplications",
        "ListSMSSandboxPhoneNumbers",
        "OptInPhoneNumber",
        "SetEndpointAttributes",
        "SetPlatformApplicationAttributes",
        "SetSMSAttributes",
        "VerifySMSSandboxPhoneNumber",
    }
)
"""SNS has no resources but topics: policies say `*` for all that is about phones."""

SNS = Access(
    "sns",
    {
        "TopicArn": itself,
        "TargetArn": itself,
        "SubscriptionArn": _subscribed,
        "ResourceArn": itself,
        "Name": named("sns", "{}"),
    },
    actions={"PublishBatch": "Publish"},
    without=frozenset({"ListTopics", "ListSubscriptions"}) | _PHONES,
)


def _tables(action: str, member: str) -> Any:
    def needs(place: Place, params: Params) -> Iterable[Need]:
        for name in params.get(member) or {}:
            yield Need(f"dynamodb:{action}", _table(name, place, {}))

    return needs


_PARTS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "Get": "GetItem"}


def _transaction(place: Place, params: Params) -> Iterable[Need]:
    for item in params.get("TransactItems") or ():
        for part, inner in item.items():
            action = _PARTS.get(part, "ConditionCheckItem")
            yield Need(f"dynamodb:{action}", _table(inner.get("TableName", ""), place, {}))


def _statements(place: Place, params: Params) -> Iterable[Need]:
    """PartiQL names its tables in a text that is not read here: whoever uses it needs all."""
    del params
    for action in ("PartiQLSelect", "PartiQLInsert", "PartiQLUpdate", "PartiQLDelete"):
        yield Need(f"dynamodb:{action}", place.arn("dynamodb", "table/*"))


def _table(value: Any, place: Place, params: Params) -> str:
    text, index = str(value), params.get("IndexName")
    arn = text if text.startswith("arn:") else place.arn("dynamodb", f"table/{text}")
    return f"{arn}/index/{index}" if index else arn


DYNAMODB = Access(
    "dynamodb",
    {
        "TableName": _table,
        "StreamArn": itself,
        "ResourceArn": itself,
        "TableArn": itself,
        "BackupArn": itself,
        "ExportArn": itself,
        "ImportArn": itself,
        "TargetTableName": _table,
    },
    without=frozenset(
        {"ListTables", "DescribeLimits", "DescribeEndpoints", "ListBackups", "ListExports"}
    ),
    instead={
        "BatchGetItem": _tables("BatchGetItem", "RequestItems"),
        "BatchWriteItem": _tables("BatchWriteItem", "RequestItems"),
        "TransactGetItems": _transaction,
        "TransactWriteItems": _transaction,
        "ExecuteStatement": _statements,
        "ExecuteTransaction": _statements,
        "BatchExecuteStatement": _statements,
    },
)

# A shard iterator names its stream in a form of its own: GetRecords is decided on all streams.
DYNAMODB_STREAMS = Access(
    "dynamodb",
    {"StreamArn": itself, "ShardIterator": lambda _v, place, _p: place.arn("dynamodb", "table/*")},
    without=frozenset({"ListStreams"}),
)

KINESIS = Access(
    "kinesis",
    {
        "ConsumerARN": itself,
        "StreamARN": itself,
        "StreamName": named("kinesis", "stream/{}"),
        "ResourceARN": itself,
        "ShardIterator": lambda _v, place, _p: place.arn("kinesis", "stream/*"),
        "NextToken": lambda _v, place, _p: place.arn("kinesis", "stream/*"),
    },
    without=frozenset(
        {
            "ListStreams",
            "DescribeLimits",
            "DescribeAccountSettings",
            "UpdateAccountSettings",
            "EnableEnhancedMonitoring",
            "DisableEnhancedMonitoring",
        }
    ),
)


def _object(value: Any, _place: Place, params: Params) -> str:
    key = params.get("Key")
    return f"arn:aws:s3:::{value}/{key}" if key else f"arn:aws:s3:::{value}"


def _copy(place: Place, params: Params) -> Iterable[Need]:
    bucket, key, version = copy_source(str(params.get("CopySource") or ""))
    action = "s3:GetObject" if version is None else "s3:GetObjectVersion"
    yield Need(action, f"arn:aws:s3:::{bucket}/{key}")
    yield Need("s3:PutObject", _object(params["Bucket"], place, params))
    yield from _settings(place, params)


_SETTINGS = {
    "Tagging": "PutObjectTagging",
    "ACL": "PutObjectAcl",
    "GrantFullControl": "PutObjectAcl",
    "GrantRead": "PutObjectAcl",
    "GrantReadACP": "PutObjectAcl",
    "GrantWriteACP": "PutObjectAcl",
    "ObjectLockMode": "PutObjectRetention",
    "ObjectLockLegalHoldStatus": "PutObjectLegalHold",
}


def _settings(place: Place, params: Params) -> Iterable[Need]:
    """What an upload needs for what it sets of its object besides the bytes."""
    needed = {action for member, action in _SETTINGS.items() if params.get(member) is not None}
    for action in sorted(needed):
        yield Need(f"s3:{action}", _object(params["Bucket"], place, params))


def _bypass(place: Place, params: Params) -> Iterable[Need]:
    if params.get("BypassGovernanceRetention"):
        yield Need("s3:BypassGovernanceRetention", _object(params["Bucket"], place, params))


def _versioned(action: str) -> Any:
    def needs(place: Place, params: Params) -> Iterable[Need]:
        version = "Version" if params.get("VersionId") else ""
        suffix = action.partition("Object")[2]
        verb = action.partition("Object")[0]
        arn = _object(params["Bucket"], place, params)
        yield Need(f"s3:{verb}Object{version}{suffix}", arn)
        yield from _bypass(place, params)

    return needs


_CONDITIONS = {
    "ACL": "s3:x-amz-acl",
    "CopySource": "s3:x-amz-copy-source",
    "Delimiter": "s3:delimiter",
    "GrantFullControl": "s3:x-amz-grant-full-control",
    "GrantRead": "s3:x-amz-grant-read",
    "GrantReadACP": "s3:x-amz-grant-read-acp",
    "GrantWrite": "s3:x-amz-grant-write",
    "GrantWriteACP": "s3:x-amz-grant-write-acp",
    "MaxKeys": "s3:max-keys",
    "MetadataDirective": "s3:x-amz-metadata-directive",
    "ObjectLockLegalHoldStatus": "s3:object-lock-legal-hold",
    "ObjectLockMode": "s3:object-lock-mode",
    "ObjectOwnership": "s3:x-amz-object-ownership",
    "Prefix": "s3:prefix",
    "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "StorageClass": "s3:x-amz-storage-class",
    "VersionId": "s3:versionid",
}


def _conditions(params: Params) -> dict[str, Sequence[str]]:
    """The keys of S3 that a request has a value for."""
    found: dict[str, Sequence[str]] = {
        key: (str(params[member]),)
        for member, key in _CONDITIONS.items()
        if params.get(member) is not None
    }
    tags = params.get("Tagging")
    if isinstance(tags, str):
        pairs = parse_qsl(tags, keep_blank_values=True)
    else:
        listed = (tags or {}).get("TagSet") or ()
        pairs = [(str(each.get("Key")), str(each.get("Value"))) for each in listed]
    found |= {f"s3:requestobjecttag/{name.lower()}": (value,) for name, value in pairs}
    return found | ({"s3:requestobjecttagkeys": tuple(name for name, _ in pairs)} if pairs else {})


S3 = Access(
    "s3",
    {"Bucket": _object},
    conditions=_conditions,
    actions={
        "HeadBucket": "ListBucket",
        "ListObjects": "ListBucket",
        "ListObjectsV2": "ListBucket",
        "ListObjectVersions": "ListBucketVersions",
        "ListMultipartUploads": "ListBucketMultipartUploads",
        "ListParts": "ListMultipartUploadParts",
        "CreateMultipartUpload": "PutObject",
        "UploadPart": "PutObject",
        "CompleteMultipartUpload": "PutObject",
        "SelectObjectContent": "GetObject",
        "GetBucketNotificationConfiguration": "GetBucketNotification",
        "PutBucketNotificationConfiguration": "PutBucketNotification",
        "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
        "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
        "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
        "DeleteBucketLifecycle": "PutLifecycleConfiguration",
        "GetBucketEncryption": "GetEncryptionConfiguration",
        "PutBucketEncryption": "PutEncryptionConfiguration",
        "DeleteBucketEncryption": "PutEncryptionConfiguration",
        "GetBucketReplication": "GetReplicationConfiguration",
        "DeleteBucketCors": "PutBucketCORS",
        "GetBucketCors": "GetBucketCORS",
        "PutBucketCors": "PutBucketCORS",
        "DeleteBucketTagging": "PutBucketTagging",
        "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
        "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
        "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
        "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
        "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    },
    more={
        "CreateMultipartUpload": _settings,
        "PutObject": _settings,
        "PutObjectRetention": _bypass,
    },
    instead={
        "ListBuckets": lambda _place, _params: [Need("s3:ListAllMyBuckets", "*")],
        "CopyObject": _copy,
        "UploadPartCopy": _copy,
        # Each object is decided by itself, and refused by itself: the operation asks.
        "DeleteObjects": lambda _place, _params: [],
        "GetObject": _versioned("GetObject"),
        "HeadObject": _versioned("GetObject"),
        "GetObjectAttributes": _versioned("GetObjectAttributes"),
        "DeleteObject": _versioned("DeleteObject"),
        "GetObjectTagging": _versioned("GetObjectTagging"),
        "PutObjectTagging": _versioned("PutObjectTagging"),
        "DeleteObjectTagging": _versioned("DeleteObjectTagging"),
        "GetObjectAcl": _versioned("GetObjectAcl"),
        "PutObjectAcl": _versioned("PutObjectAcl"),
    },
)
