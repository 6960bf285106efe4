"""The services the gateway can speak, and their models, each loaded when first asked for."""

import gzip
import importlib.util
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from emberbox.gateway.shapes import ServiceModel
from emberbox.gateway.sqs_query import restore_names

SERVICES: Final = (
    "lambda",
    "sqs",
    "sns",
    "s3",
    "dynamodb",
    "dynamodbstreams",
    "kinesis",
    "events",
    "scheduler",
    "logs",
    "cloudwatch",
    "apigateway",
    "apigatewayv2",
    "apigatewaymanagementapi",
    "iam",
    "sts",
    "cloudformation",
    "ecr",
    "secretsmanager",
    "ssm",
    "xray",
    "kms",
    "application-autoscaling",
    "elbv2",
)
"""botocore's names of the services that have a place in Emberbox, built or not."""


class UnknownServiceError(KeyError):
    """A service that has no place in Emberbox."""


class Catalog:
    """Service models by botocore name; safe to share between threads."""

    def __init__(self) -> None:
        self._models: dict[str, ServiceModel] = {}
        self._lock = threading.Lock()
        self._root = _data_root()

    def model(self, service: str) -> ServiceModel:
        """The model of a service, read on first use; UnknownServiceError if it is none of ours."""
        found = self._models.get(service)
        if found is not None:
            return found
        if service not in SERVICES:
            raise UnknownServiceError(service)
        with self._lock:
            if service not in self._models:
                raw = _read(self._root / service)
                if service == "sqs":
                    restore_names(raw)
                self._models[service] = ServiceModel(service, raw)
            return self._models[service]


def _data_root() -> Path:
    """botocore's data folder, found without running any of botocore."""
    spec = importlib.util.find_spec("botocore")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("botocore is not installed: its service models are needed")
    return Path(spec.submodule_search_locations[0]) / "data"


def _read(folder: Path) -> dict[str, Any]:
    """The newest model in a service's folder, with the amendments botocore ships beside it."""
    version = max(each for each in folder.iterdir() if each.is_dir())
    raw: dict[str, Any] = _load(version / "service-2.json")
    amendments = version / "service-2.sdk-extras.json"
    if amendments.exists():
        _merge(raw, orjson.loads(amendments.read_bytes())["merge"])
    _drop_prose(raw)
    return raw


def _load(path: Path) -> Any:
    packed = path.with_name(path.name + ".gz")
    if packed.exists():
        return orjson.loads(gzip.decompress(packed.read_bytes()))
    return orjson.loads(path.read_bytes())


def _merge(into: dict[str, Any], extra: Mapping[str, Any]) -> None:
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _drop_prose(raw: dict[str, Any]) -> None:
    """Forget the documentation: two thirds of a model, megabytes for the larger ones."""
    for shape in raw["shapes"].values():
        shape.pop("documentation", None)
        for member in shape.get("members", {}).values():
            member.pop("documentation", None)
    for operation in raw["operations"].values():
        operation.pop("documentation", None)
