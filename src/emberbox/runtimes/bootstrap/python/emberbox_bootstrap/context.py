"""The context object a handler receives.

Source: "Using the Lambda context object to retrieve Python function information" of AWS's guide.
"""

import json
import os
import time

from emberbox_bootstrap.logs import SINK


class CognitoIdentity:
    """Who called, when the caller came through Amazon Cognito."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, known):
        self.cognito_identity_id = known.get("cognitoIdentityId")
        self.cognito_identity_pool_id = known.get("cognitoIdentityPoolId")


class Client:
    """The mobile application of a client context."""

    __slots__ = (
        "app_package_name",
        "app_title",
        "app_version_code",
        "app_version_name",
        "installation_id",
    )

    def __init__(self, known):
        for name in self.__slots__:
            setattr(self, name, known.get(name))


class ClientContext:
    """What the caller sent as client context."""

    __slots__ = ("client", "custom", "env")

    def __init__(self, known):
        self.custom = known.get("custom")
        self.env = known.get("env")
        client = known.get("client")
        self.client = Client(client) if client else None


class LambdaContext:
    """One invocation, seen from inside."""

    function_name = None
    function_version = None
    memory_limit_in_mb = None
    log_group_name = None
    log_stream_name = None

    def __init__(self, headers):
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id", "")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn", "")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        self._epoch_deadline_time_in_ms = int(headers.get("lambda-runtime-deadline-ms", "0"))
        self.identity = CognitoIdentity(_object(headers.get("lambda-runtime-cognito-identity")))
        context = headers.get("lambda-runtime-client-context")
        self.client_context = ClientContext(_object(context)) if context else None

    def get_remaining_time_in_millis(self):
        """Milliseconds until the invocation times out, never below 0."""
        return max(self._epoch_deadline_time_in_ms - int(time.time() * 1000), 0)

    def log(self, message):
        """Write a record to the function's log as it is."""
        SINK.write(str(message))

    def __repr__(self):
        return (
            "LambdaContext([aws_request_id=%s,log_group_name=%s,log_stream_name=%s,function_name=%s,memory_limit_in_mb=%s,function_version=%s,invoked_function_arn=%s,client_context=%s,identity=%s])"
            % (
                self.aws_request_id,
                self.log_group_name,
                self.log_stream_name,
                self.function_name,
                self.memory_limit_in_mb,
                self.function_version,
                self.invoked_function_arn,
                self.client_context,
                self.identity,
            )
        )


def learn_environment():
    """What is the same for all invocations of this process is read once."""
    environment = os.environ
    LambdaContext.function_name = environment.get("AWS_LAMBDA_FUNCTION_NAME")
    LambdaContext.function_version = environment.get("AWS_LAMBDA_FUNCTION_VERSION")
    LambdaContext.memory_limit_in_mb = environment.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    LambdaContext.log_group_name = environment.get("AWS_LAMBDA_LOG_GROUP_NAME")
    LambdaContext.log_stream_name = environment.get("AWS_LAMBDA_LOG_STREAM_NAME")


def _object(text):
    if not text:
        return {}
    try:
        known = json.loads(text)
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}
