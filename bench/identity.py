"""`python -m bench.identity`: what knowing the callers and asking their policies costs.

Signatures and decisions by themselves, then one function on three servers, invoked in turn: open,
authenticated, enforced.
"""

import asyncio
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import uvloop
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.client import Connection, connect, plain_request
from bench.raw import ECHO_BODY
from bench.statistics import median_ms
from bench.subjects import package
from emberbox.gateway.sigv4_payload import stand_in
from emberbox.gateway.sigv4_request import check_signature, claim_of_header
from emberbox.model.policy.documents import from_text
from emberbox.model.policy.evaluation import Policies, Request, decide
from emberbox.model.policy.principals import Kind, Principal
from tools.running import RunningServer, running

_CALLS = 4_000
_ROUNDS = 2_000
_ACCOUNT = "123456789012"
_ARN = f"arn:aws:lambda:us-east-1:{_ACCOUNT}:function:hello"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
_ROOT = re.compile(r"access key (\S+)\s+secret key (\S+)")


def main() -> int:
    """Measure, and print a table."""
    rows = [
        ("signature of an invocation with 2 bytes", f"{_verifying(b'{}'):.1f} µs"),
        ("signature of an invocation with 10 KB", f"{_verifying(ECHO_BODY):.1f} µs"),
        ("decision by a policy of 10 statements", f"{_deciding():.1f} µs"),
    ]
    rows += [(f"warm invoke, {mode}, p50", f"{ms * 1000:.0f} µs") for mode, ms in _invoking()]
    print("| measured | |\n|---|---:|")
    for name, value in rows:
        print(f"| {name} | {value} |")
    return 0


def _signed(url: str, keys: tuple[str, str], payload: bytes) -> tuple[str, dict[str, str]]:
    path = "/2015-03-31/functions/hello/invocations"
    headers = {"Host": url.partition("//")[2], "Content-Type": "application/json"}
    request = AWSRequest("POST", url + path, data=payload, headers=headers)
    SigV4Auth(Credentials(*keys), "lambda", "us-east-1").add_auth(request)
    return path, dict(request.headers.items())


def _microseconds(work: Callable[[], object]) -> float:
    """Processor time of one: what other programs do beside it does not count."""
    work()
    began = time.thread_time()
    for _ in range(_CALLS):
        work()
    return (time.thread_time() - began) / _CALLS * 1e6


def _verifying(payload: bytes) -> float:
    path, signed = _signed("http://127.0.0.1:4566", ("AKIAEXAMPLE", "secret"), payload)
    headers = {name.lower().encode(): value.encode() for name, value in signed.items()}

    def verify() -> None:
        claim = claim_of_header(headers)
        body = stand_in(claim, headers, payload)
        check_signature(claim, "secret", b"POST", path.encode(), headers, body)

    return _microseconds(verify)


def _deciding() -> float:
    """The statement that allows is the last, and half of the others have conditions."""
    condition = {"StringEquals": {"aws:username": "nobody"}}
    statements: list[dict[str, object]] = [
        {"Effect": "Allow", "Action": [f"s3:Get{n}*", "sqs:*"], "Resource": f"arn:aws:s3:::b{n}/*"}
        | ({"Condition": condition} if n % 2 else {})
        for n in range(9)
    ]
    statements.append({"Effect": "Allow", "Action": "lambda:Invoke*", "Resource": _ARN})
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    policies = Policies(identity=[from_text("bench", text)])
    arn = f"arn:aws:iam::{_ACCOUNT}:user/ann"
    who = Principal(Kind.USER, _ACCOUNT, arn, arn, "AIDAEXAMPLE")
    request = Request(who, "lambda:InvokeFunction", _ARN, _ACCOUNT, {"aws:username": ["ann"]})
    if not decide(request, policies).is_allowed:
        raise RuntimeError("the policy of the benchmark does not allow what it is meant to")
    return _microseconds(lambda: decide(request, policies))


def _invoking() -> list[tuple[str, float]]:
    """Medians in milliseconds, by mode."""
    with ExitStack() as stack:
        requests: dict[str, tuple[str, bytes]] = {}
        for mode in ("open", "authenticated", "enforced"):
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emberbox-bench-")))
            running_server = running(place / "data", place / "log", "--auth", mode)
            server = stack.enter_context(running_server)
            keys = _prepared(server)
            path, headers = _signed(server.url, keys, b"{}")
            requests[mode] = (server.url, plain_request(path, headers, b"{}"))
        return uvloop.run(_in_turn(requests))


async def _in_turn(requests: dict[str, tuple[str, bytes]]) -> list[tuple[str, float]]:
    took: dict[str, list[float]] = {mode: [] for mode in requests}
    lines: dict[str, Connection] = {}
    for mode, (url, _) in requests.items():
        lines[mode] = await connect(url)
    for number in range(_ROUNDS + 50):
        for mode, (_, request) in requests.items():
            answer = await lines[mode].call(request)
            if not answer.is_good:
                raise RuntimeError(f"{mode}: {answer.status} {answer.body[:300]!r}")
            if number >= 50:
                took[mode].append(answer.seconds)
    for line in lines.values():
        line.close()
    await asyncio.sleep(0)
    return [(mode, median_ms(seconds)) for mode, seconds in took.items()]


def _prepared(server: RunningServer) -> tuple[str, str]:
    """A function and, where callers are known, a user who may invoke it: the keys to use."""
    found = _ROOT.search(server.said)
    keys = (found[1], found[2]) if found is not None else ("emberbox", "emberbox")

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
        )

    iam, functions = client("iam"), client("lambda")
    made = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps(_TRUST))
    functions.create_function(
        FunctionName="hello",
        Runtime="python3.12",
        Role=made["Role"]["Arn"],
        Handler="subject.handler",
        Code={"ZipFile": package("def handler(event, context):\n    return 'hello'\n")},
        MemorySize=1_769,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="hello")
    if found is None:
        return keys
    iam.create_user(UserName="ann")
    statement = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": _ARN}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName="ann", PolicyName="invoke", PolicyDocument=policy)
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


if __name__ == "__main__":
    sys.exit(main())
