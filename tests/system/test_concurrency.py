"""Concurrency through real clients: what runs at once, and reserved concurrency as a limit."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import botocore.exceptions
import pytest
from hands import ApiError

SOURCE = """
    import time

    def lambda_handler(event, context):
        while event.get("wait"):
            time.sleep(0.05)
            event["wait"] -= 1
        return "done"
"""

WHO = """
    import uuid

    ME = str(uuid.uuid4())

    def lambda_handler(event, context):
        return ME
"""


def test_there_are_no_more_environments_than_callers(boto, make_function):
    """Four quick callers are served by four, and a few more at most where one is slow to return."""
    name = make_function(WHO)

    with ThreadPoolExecutor(4) as callers:
        served = callers.map(lambda _: boto.invoke(name, b"{}").json(), range(200))

    assert len(set(served)) <= 8


def test_reserved_concurrency_is_a_limit(boto, make_function):
    """One runs, the next is throttled with the reason; given back, both run."""
    name = make_function(SOURCE, Timeout=30)
    reserved = boto.call(
        "lambda", "PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=1
    )
    answers = []

    def occupy():
        while not answers:
            with suppress(ApiError):  # the other thread's invocation came first
                answers.append(boto.invoke(name, b'{"wait": 40}').json())

    thread = threading.Thread(target=occupy)
    thread.start()
    throttled = None
    while throttled is None and not answers:
        try:
            boto.invoke(name, b"{}")
        except ApiError as error:
            throttled = error
    boto.call("lambda", "DeleteFunctionConcurrency", FunctionName=name)
    free = boto.invoke(name, b"{}").json()
    thread.join()

    assert reserved == {"ReservedConcurrentExecutions": 1}
    assert throttled is not None
    assert (throttled.code, throttled.message) == ("TooManyRequestsException", "Rate Exceeded.")
    assert (answers, free) == (["done"], "done")


def test_a_function_is_switched_off_and_on(hands, boto, make_function):
    """0 throttles everything, and AWS's reason says why."""
    name = make_function(SOURCE)
    hands.call(
        "lambda", "PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=0
    )

    with pytest.raises(ApiError) as caught:
        hands.invoke(name)
    with pytest.raises(botocore.exceptions.ClientError) as raw:
        boto.client("lambda").invoke(FunctionName=name)
    hands.call("lambda", "DeleteFunctionConcurrency", FunctionName=name)

    assert caught.value.code == "TooManyRequestsException"
    assert raw.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert raw.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert hands.invoke(name).json() == "done"
