"""What a Host header can say: a service, an S3 bucket, a function URL or an API."""

import ipaddress
from functools import lru_cache
from typing import Final

from emberbox.records import dataclass

_ENDPOINTS: Final = {
    "lambda": "lambda",
    "sqs": "sqs",
    "queue": "sqs",
    "sns": "sns",
    "s3": "s3",
    "dynamodb": "dynamodb",
    "streams.dynamodb": "dynamodbstreams",
    "kinesis": "kinesis",
    "events": "events",
    "scheduler": "scheduler",
    "logs": "logs",
    "monitoring": "cloudwatch",
    "apigateway": "apigateway",
    "iam": "iam",
    "sts": "sts",
    "cloudformation": "cloudformation",
    "api.ecr": "ecr",
    "secretsmanager": "secretsmanager",
    "ssm": "ssm",
    "xray": "xray",
    "kms": "kms",
    "application-autoscaling": "application-autoscaling",
    "elasticloadbalancing": "elbv2",
}
"""Endpoint prefix, the first part of AWS's host names -> service."""

_FRONTS: Final = frozenset({"lambda-url", "execute-api"})
_LOOPBACK: Final = "localhost"
_WEBSITE: Final = "s3-website"


@dataclass(frozen=True, slots=True)
class HostHint:
    """What a host name tells: at most one of the three.

    `front` is `lambda-url`, `execute-api` or `s3-website`: no service, but what it shows the web.
    """

    service: str = ""
    bucket: str = ""
    front: str = ""


NOTHING: Final = HostHint()


@lru_cache(4_096)
def read_host(host: str) -> HostHint:
    """The hint in a Host header; nothing for addresses and names of our own."""
    name = _name(host)
    if not name or _is_address(name):
        return NOTHING
    labels = name.split(".")
    if len(labels) > 1 and labels[1] in _FRONTS:
        return HostHint(front=labels[1])
    if _website(labels):
        return HostHint(front=_WEBSITE)
    bucket = _bucket(labels)
    if bucket:
        return HostHint(service="s3", bucket=bucket)
    return HostHint(service=_service(labels))


def bucket_of_signed_s3(host: str) -> str:
    """The bucket in the host of a request that is known to be for S3; also `bucket.localhost`."""
    hint = read_host(host)
    if hint.bucket:
        return hint.bucket
    labels = _name(host).split(".")
    if len(labels) > 1 and labels[-1] == _LOOPBACK and not hint.service:
        return ".".join(labels[:-1])
    return ""


def website_bucket(host: str) -> str:
    """The bucket whose website a host is; empty if it is none."""
    return _website(_name(host).split("."))


def _website(labels: list[str]) -> str:
    """Everything before the label `s3-website` or `s3-website-<region>`."""
    for index, label in enumerate(labels):
        if index and (label == _WEBSITE or label.startswith(f"{_WEBSITE}-")):
            return ".".join(labels[:index])
    return ""


def _name(host: str) -> str:
    if host.startswith("["):
        return ""
    return host.partition(":")[0].lower().rstrip(".")


def _is_address(name: str) -> bool:
    if not name[-1].isdigit():
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _bucket(labels: list[str]) -> str:
    """Everything before the label `s3` or `s3-<region>`; buckets may have dots in their names."""
    for index, label in enumerate(labels):
        if index and (label == "s3" or label.startswith("s3-")) and index < len(labels) - 1:
            return ".".join(labels[:index])
    return ""


def _service(labels: list[str]) -> str:
    if len(labels) < 2:
        return ""
    two = ".".join(labels[:2])
    return _ENDPOINTS.get(two) or _ENDPOINTS.get(labels[0], "")
