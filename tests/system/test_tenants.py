"""Tenants of a function never meet in one environment."""

import base64
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from hands import ApiError
from material import ROLE, make_zip

SOURCE = """
    import logging, os, pathlib, uuid

    me = str(uuid.uuid4())

    def lambda_handler(event, context):
        logging.warning("at work")
        seen = [each.name for each in pathlib.Path("/tmp").iterdir()]
        pathlib.Path("/tmp", context.tenant_id).touch()
        if "fail" in event:
            raise ValueError(context.tenant_id)
        return {"environment": me, "tenant": context.tenant_id, "seen": seen}
"""


@pytest.fixture(scope="module")
def isolating(boto):
    """A function that keeps its tenants apart."""
    name = f"tenants-{os.getpid()}"
    boto.call(
        "lambda",
        "CreateFunction",
        FunctionName=name,
        Runtime="python3.12",
        Role=ROLE,
        Handler="lambda_function.lambda_handler",
        Code={"ZipFile": make_zip(lambda_function=SOURCE)},
        TenancyConfig={"TenantIsolationMode": "PER_TENANT"},
        LoggingConfig={"LogFormat": "JSON"},
        Timeout=20,
        MemorySize=512,
    )
    boto.wait("lambda", "FunctionActiveV2", FunctionName=name)
    yield name
    boto.call("lambda", "DeleteFunction", FunctionName=name)


def invoke(boto, name, tenant, **more):
    answer = boto.client("lambda").invoke(FunctionName=name, TenantId=tenant, **more)
    return json.load(answer["Payload"])


def test_environments_serve_one_tenant_each(boto, isolating):
    """Each its own, used again for its own, though another's is idle; the context says whose."""
    config = boto.call("lambda", "GetFunctionConfiguration", FunctionName=isolating)
    assert config["TenancyConfig"] == {"TenantIsolationMode": "PER_TENANT"}
    tenants = ["blue", "green.1"] * 8

    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(lambda tenant: invoke(boto, isolating, tenant), tenants))

    served = {}
    for answer in answers:
        served.setdefault(answer["environment"], set()).add(answer["tenant"])
        assert set(answer["seen"]) <= {answer["tenant"]}
    assert all(len(each) == 1 for each in served.values())
    assert {tenant for each in served.values() for tenant in each} == {"blue", "green.1"}
    assert len(served) < len(answers)


def test_the_log_says_whose_invocation_it_is(boto, isolating):
    """In the record of its start and in the function's own."""
    answer = boto.client("lambda").invoke(FunctionName=isolating, TenantId="blue", LogType="Tail")
    answer["Payload"].read()

    lines = [json.loads(line) for line in base64.b64decode(answer["LogResult"]).splitlines()]
    (start,) = (line["record"] for line in lines if line.get("type") == "platform.start")
    (own,) = (line for line in lines if line.get("message") == "at work")
    assert start["tenantId"] == own["tenantId"] == "blue"


def test_a_tenant_is_needed_where_there_are_tenants_and_only_there(boto, isolating, make_function):
    """AWS's error either way."""
    plain = make_function("def lambda_handler(event, context):\n    return context.tenant_id\n")
    client = boto.client("lambda")

    with pytest.raises(ClientError) as missing:
        client.invoke(FunctionName=isolating)
    with pytest.raises(ClientError) as stray:
        client.invoke(FunctionName=plain, TenantId="blue")

    for refused in (missing, stray):
        assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert "Add a valid tenant ID" in str(missing.value)
    assert json.load(client.invoke(FunctionName=plain)["Payload"]) is None


def test_events_keep_their_tenant(boto, isolating):
    """Asynchronous invocation runs as the tenant who asked for it."""
    queue = boto.call("sqs", "CreateQueue", QueueName=isolating)["QueueUrl"]
    boto.call(
        "lambda",
        "PutFunctionEventInvokeConfig",
        FunctionName=isolating,
        MaximumRetryAttempts=0,
        DestinationConfig={
            "OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:123456789012:{isolating}"}
        },
    )
    client = boto.client("lambda")

    client.invoke(
        FunctionName=isolating, TenantId="night", InvocationType="Event", Payload=b'{"fail": 1}'
    )
    deadline, messages = time.monotonic() + 90, []
    while not messages and time.monotonic() < deadline:
        got = boto.call("sqs", "ReceiveMessage", QueueUrl=queue, WaitTimeSeconds=5)
        messages = got.get("Messages", [])

    assert json.loads(messages[0]["Body"])["responsePayload"]["errorMessage"] == "night"
    boto.call("sqs", "DeleteQueue", QueueUrl=queue)


def test_what_names_no_tenant_is_refused(boto, isolating):
    """URLs, provisioned concurrency and SnapStart."""
    version = boto.call("lambda", "PublishVersion", FunctionName=isolating)["Version"]
    boto.wait("lambda", "PublishedVersionActive", FunctionName=isolating, Qualifier=version)
    asked = [
        ("CreateFunctionUrlConfig", {"AuthType": "NONE"}),
        (
            "PutProvisionedConcurrencyConfig",
            {"Qualifier": version, "ProvisionedConcurrentExecutions": 1},
        ),
        ("UpdateFunctionConfiguration", {"SnapStart": {"ApplyOn": "PublishedVersions"}}),
    ]

    for operation, parameters in asked:
        with pytest.raises(ApiError) as refused:
            boto.call("lambda", operation, FunctionName=isolating, **parameters)
        assert refused.value.code == "InvalidParameterValueException"
        assert "tenant isolation" in refused.value.message
