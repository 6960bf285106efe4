"""Hands for a server that knows its callers: clients of roots, users and sessions."""

import json
import re

import boto3
import botocore.exceptions
from botocore.config import Config
from material import make_zip

from tools.running import running

ACCOUNT = "123456789012"
REGION = "us-east-1"
_ROOT = re.compile(r"access key (\S+)\s+secret key (\S+)")
TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "lambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}


def document(*statements):
    """A policy's text."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


class Secured:
    """A running server with its root's keys; `as_root` and others are sessions of boto3."""

    def __init__(self, server, place):
        self.server = server
        self.place = place
        self.root_key = _ROOT.search(server.said).groups()

    @property
    def as_root(self):
        return Someone(self.server.url, *self.root_key)

    def user(self, name, *statements):
        """A new user with one inline policy, signed with a new key."""
        iam = self.as_root.client("iam")
        iam.create_user(UserName=name)
        if statements:
            text = document(*statements)
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=text)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return Someone(self.server.url, key["AccessKeyId"], key["SecretAccessKey"])

    def role(self, name, trust, *statements):
        """A new role; its ARN."""
        iam = self.as_root.client("iam")
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
        if statements:
            text = document(*statements)
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=text)
        return made["Role"]["Arn"]

    def function(self, name, role, source):
        """A new function, once it is active."""
        client = self.as_root.client("lambda")
        client.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=role,
            Handler="lambda_function.lambda_handler",
            Code={"ZipFile": make_zip(lambda_function=source)},
            Timeout=30,
            MemorySize=512,
        )
        client.get_waiter("function_active_v2").wait(FunctionName=name)
        return name


class Someone:
    """Whoever has a key."""

    def __init__(self, url, access_key, secret_key, token=None):
        self.url = url
        self.keys = (access_key, secret_key, token)

    def client(self, service, **more):
        """A client of boto3 without retries."""
        access_key, secret_key, token = self.keys
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}),
            **more,
        )

    def may(self, service, operation, **parameters):
        """Call an operation that is allowed."""
        return getattr(self.client(service), operation)(**parameters)

    def denied(self, service, operation, **parameters):
        """Call an operation that is not: (code, message, request id)."""
        try:
            getattr(self.client(service), operation)(**parameters)
        except botocore.exceptions.ClientError as error:
            answer = error.response
            assert answer["ResponseMetadata"]["HTTPStatusCode"] in {400, 403}, answer
            details = answer["Error"]
            return details["Code"], details["Message"], answer["ResponseMetadata"]["RequestId"]
        raise AssertionError(f"{service}.{operation} was allowed")

    def assume(self, role, **more):
        """A session of a role."""
        wanted = {"RoleArn": role, "RoleSessionName": "me", **more}
        made = self.may("sts", "assume_role", **wanted)["Credentials"]
        return Someone(self.url, made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


def secured(place, mode="enforced", *arguments):
    """A context with such a server."""
    return running(place / "data", place / "log", "--auth", mode, *arguments)
