"""Requests of botocore's serialisers, for every operation of every service."""

import pytest
from gateway_models import CATALOG, PROTOCOLS, botocore_model, sent
from gateway_samples import Sampler

from emberbox.gateway.codecs import CODECS
from emberbox.gateway.routing import Router
from emberbox.gateway.sigv4_scope import ScopeReader

ROUTER = Router(CATALOG)
SCOPES = ScopeReader("000000000000", "us-east-1")
RETIRED = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
    "ListDirectoryBuckets": "ListBuckets",
}
"""S3 operations that share method and URI with another; the other answers."""

LENGTH = {"ContentLength"}


@pytest.mark.parametrize(("service", "protocol"), PROTOCOLS)
@pytest.mark.parametrize("seed", range(4))
def test_every_operation_is_found_and_its_parameters_come_back(service, protocol, seed):
    """What a botocore client sends arrives as the operation and the parameters it was given."""
    model = botocore_model(service)
    wrong = []
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        sampler = Sampler(f"{service}.{name}.{seed}", protocol, full=seed < 2)
        params = sampler.structure(shape) if shape is not None else {}
        request = sent(service, name, params, protocol)

        aim = ROUTER.aim(SCOPES.of_request(request.headers, request.query), request)
        destination = ROUTER.find(aim, request)
        parsed = CODECS[destination.protocol].parse(destination.call, destination.request)

        found = (aim.service, destination.protocol, destination.call.operation.name)
        if found != (service, protocol, RETIRED.get(name, name)):
            wrong.append((name, found))
        elif name not in RETIRED and _told(parsed, params) != params:
            wrong.append((name, parsed, params))

    assert wrong == []


def _told(parsed, params):
    """Without the length that HTTP itself tells of a body."""
    return {name: value for name, value in parsed.items() if name in params or name not in LENGTH}
