"""Every operation of Lambda that is built, driven by the model alone.

Invented valid input is accepted, or refused with an error that the model declares; answers fit the
shapes they should; whatever breaks a constraint is refused in the common words.
"""

import io
import json
import zipfile

import pytest
from botocore.validate import ParamValidator
from gateway_models import CATALOG, botocore_model, received, sent
from model_inventor import Inventor, breakages, grafted, nested_breakages

from emberbox.clock import ManualClock
from emberbox.functions.service import FunctionsService
from emberbox.gateway.dispatch import Dispatcher
from emberbox.gateway.sigv4_scope import ScopeReader
from emberbox.gateway.validation import EXEMPT
from emberbox.storage.catalog import CatalogWriter, FunctionCatalog
from emberbox.storage.database import Database
from emberbox.storage.packages import PackageStore

MODEL = botocore_model("lambda")
SCOPES = ScopeReader("000000000000", "us-east-1")
SEEDS = 8
BESIDE = {"Invoke", "InvokeWithResponseStream"}
EVERYWHERE = {"ValidationException", "AccessDeniedException", "PreconditionFailedException"}
"""Errors that AWS gives whatever the model says: broken constraints, things of others."""
KNOWN = {
    # AWS leaves the ARN out for a function without one, against its own model.
    ("GetFunctionCodeSigningConfig", "CodeSigningConfigArn"),
}
ACCOUNT = "000000000000"


def zipped():
    """A code package."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr("app.py", "pass")
    return out.getvalue()


class World:
    """A service with something of everything in it."""

    def __init__(self, service):
        self.service = service
        self.dispatcher = Dispatcher([service], CATALOG)
        self.known = {}

    async def call(self, operation, params):
        """Status and what a botocore client makes of the answer."""
        request = sent("lambda", operation, params, "rest-json")
        scope = SCOPES.of_request(request.headers, request.query)
        answer = await self.dispatcher.answer(scope, request, "http://127.0.0.1:4566", "id")
        shape = MODEL.operation_model(operation).output_shape
        return answer.status, received(
            "rest-json", shape, answer.status, answer.headers, answer.body
        )

    async def fill(self):
        """Things whose names invented requests may use."""
        role = f"arn:aws:iam::{ACCOUNT}:role/r"
        await self.call(
            "CreateFunction",
            {
                "FunctionName": "f",
                "Role": role,
                "Runtime": "python3.12",
                "Handler": "app.handler",
                "Code": {"ZipFile": zipped()},
                "Publish": True,
            },
        )
        await self.call(
            "CreateAlias", {"FunctionName": "f", "Name": "live", "FunctionVersion": "1"}
        )
        arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
        queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
        _, mapping = await self.call(
            "CreateEventSourceMapping", {"FunctionName": "f", "EventSourceArn": queue}
        )
        publishers = {"SigningProfileVersionArns": [f"arn:aws:signer:us-east-1:{ACCOUNT}:/x"]}
        _, signing = await self.call("CreateCodeSigningConfig", {"AllowedPublishers": publishers})
        await self.service.close()
        policy = {"Effect": "Allow", "Principal": "*", "Action": "lambda:*", "Resource": arn}
        config = signing["CodeSigningConfig"]["CodeSigningConfigArn"]
        self.known = {
            "FunctionName": ["f", "f", arn],
            "Qualifier": ["live", "1"],
            "Resource": [arn, config, mapping["EventSourceMappingArn"]],
            "ResourceArn": [arn, f"{arn}:live"],
            "UUID": [mapping["UUID"]],
            "CodeSigningConfigArn": [config],
            "EventSourceArn": [queue, f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/s"],
            "Destination": [queue],
            "Principal": ["s3.amazonaws.com", ACCOUNT],
            "Policy": [json.dumps({"Version": "2012-10-17", "Statement": [policy]})],
            "CapacityProviderName": ["cp"],
            "ZipFile": [zipped()],
            "Role": [role],
            "Handler": ["app.handler"],
            "Runtime": ["python3.12"],
            "FunctionVersion": ["1"],
            "Marker": [""],
            "RevisionId": [],
        }


@pytest.fixture
async def world(tmp_path):
    """A world of its own for each test."""
    stems = FunctionsService.queries
    database = await Database.open(tmp_path / "state.db", "state", stems, durable=False)
    writer = CatalogWriter(database, FunctionCatalog())
    packages = PackageStore(tmp_path / "packages")
    service = FunctionsService(writer, packages, clock=ManualClock(), secret=b"secret")

    async def keep(*_, **__):
        return None

    service.resources.invoking_async.send = keep
    made = World(service)
    await made.fill()
    yield made
    await service.close()
    await database.close()


def built(service=None):
    """Operations that go through the gateway, in an order that removes things last."""
    names = [name for name in MODEL.operation_names if name not in BESIDE]
    return sorted(names, key=lambda name: (name.startswith(("Delete", "Remove")), name))


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_valid_input_is_served_or_refused_as_declared(world, seed):
    """And what is served fits the output shape."""
    wrong = []
    for operation in built():
        if operation not in world.service.operations:
            continue
        model = MODEL.operation_model(operation)
        inventor = Inventor(f"{operation}.{seed}", world.known)
        params = inventor.structure(model.input_shape) if model.input_shape else {}
        status, answer = await world.call(operation, params)
        wrong += [(operation, params, fault) for fault in faults(model, status, answer)]

    assert wrong == []


def faults(model, status, answer):
    """What is wrong with an answer."""
    error = answer.get("Error")
    if error is not None:
        declared = {shape.name for shape in model.error_shapes} | EVERYWHERE
        if error["Code"] not in declared:
            yield error
        return
    if not 200 <= status < 300:
        yield status
    if model.output_shape is None:
        return
    answer = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
    report = ParamValidator().validate(answer, model.output_shape)
    for problem, path, details in report._errors:
        if (model.name, details.get("required_name")) in KNOWN:
            continue
        yield problem, path, details


async def test_every_missing_member_is_named(world):
    """All of them in one error."""
    wrong = []
    for operation in built():
        if operation not in world.service.operations:
            continue
        shape = MODEL.operation_model(operation).input_shape
        missing = [
            name
            for name in (shape.required_members if shape else ())
            if shape.members[name].serialization.get("location") != "uri"
            and name != shape.serialization.get("payload")
        ]
        if not missing:
            continue
        params = Inventor(operation, world.known).structure(shape)
        for name in missing:
            params.pop(name)
        _, answer = await world.call(operation, params)
        error = answer.get("Error") or {"Code": "none", "Message": ""}
        for name in missing:
            path = name[:1].lower() + name[1:]
            text = f"Value null at '{path}' failed to satisfy constraint: Member must not be null"
            if error["Code"] != "ValidationException" or text not in error["Message"]:
                wrong.append((operation, name, error))

    assert wrong == []


async def test_every_broken_constraint_is_named(world):
    """One at a time, at the top of the request."""
    wrong = []
    for operation in built():
        if operation not in world.service.operations:
            continue
        shape = MODEL.operation_model(operation).input_shape
        for name, member in (shape.members if shape else {}).items():
            if name in EXEMPT["lambda"]:
                continue
            for value, expected in breakages(member):
                params = Inventor(operation, world.known).structure(shape)
                params[name] = value
                _, answer = await world.call(operation, params)
                error = answer.get("Error") or {"Code": "none", "Message": ""}
                path = f"at '{name[:1].lower() + name[1:]}' failed to satisfy constraint: "
                named = path in error["Message"] and expected in error["Message"]
                if error["Code"] != "ValidationException" or not named:
                    wrong.append((operation, name, value, error))

    assert wrong == []


async def test_every_nested_constraint_is_named(world):
    """In structures, lists and maps at every depth: by the path that AWS gives."""
    wrong, tried = [], 0
    for operation in built():
        shape = MODEL.operation_model(operation).input_shape
        if operation not in world.service.operations or shape is None:
            continue
        for steps, value, path, expected in nested_breakages(shape):
            tried += 1
            params = grafted(Inventor(operation, world.known), shape, steps, value)
            _, answer = await world.call(operation, params)
            error = answer.get("Error") or {"Code": "none", "Message": ""}
            named = f"at '{path}' failed to satisfy constraint: {expected}" in error["Message"]
            if error["Code"] != "ValidationException" or not named:
                wrong.append((operation, path, value, expected, error))

    assert wrong == []
    assert tried > 200
