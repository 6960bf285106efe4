"""Reserved concurrency of functions, and the account's settings."""

import asyncio

import pytest

from emberbox.errors import CallerError

PUT = "PutFunctionConcurrency"
GET = "GetFunctionConcurrency"
DELETE = "DeleteFunctionConcurrency"
PROVISION = "PutProvisionedConcurrencyConfig"


async def unreserved(api):
    """What the account's settings say is left."""
    return (await api("GetAccountSettings"))["AccountLimit"]["UnreservedConcurrentExecutions"]


async def test_what_is_reserved_is_shown(api):
    """By its own operation, in GetFunction, and as less for others; until it is given back."""
    await api.created()

    put = await api(PUT, FunctionName="f", ReservedConcurrentExecutions=5)

    assert put == await api(GET, FunctionName="f") == {"ReservedConcurrentExecutions": 5}
    assert (await api("GetFunction", FunctionName="f"))["Concurrency"] == put
    assert await unreserved(api) == 995
    await api(PUT, FunctionName="f", ReservedConcurrentExecutions=0)
    assert await api(GET, FunctionName="f") == {"ReservedConcurrentExecutions": 0}
    assert await unreserved(api) == 1_000
    await api(DELETE, FunctionName="f")
    await api(DELETE, FunctionName="f")
    assert await api(GET, FunctionName="f") == {}
    assert "Concurrency" not in await api("GetFunction", FunctionName="f")


async def test_a_hundred_must_stay_for_others(api):
    """What the function itself has had does not count against it."""
    await api.created()
    await api.created("g")
    await api(PUT, FunctionName="f", ReservedConcurrentExecutions=800)

    error = await api.refusal(api(PUT, FunctionName="g", ReservedConcurrentExecutions=101))
    await api(PUT, FunctionName="g", ReservedConcurrentExecutions=100)
    await api(PUT, FunctionName="f", ReservedConcurrentExecutions=700)

    assert (error.code, error.status) == ("InvalidParameterValueException", 400)
    assert error.message == (
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100]."
    )
    assert await unreserved(api) == 200


async def test_a_function_can_be_switched_off_under_any_limit(make_api):
    """Where the account has too little to set anything aside."""
    api = make_api(concurrency_limit=10)
    await api.created()

    await api.refusal(api(PUT, FunctionName="f", ReservedConcurrentExecutions=1))
    await api(PUT, FunctionName="f", ReservedConcurrentExecutions=0)

    assert await api(GET, FunctionName="f") == {"ReservedConcurrentExecutions": 0}


@pytest.mark.parametrize("operation", [PUT, GET, DELETE])
async def test_concurrency_belongs_to_the_whole_function(api, operation):
    """A qualifier is refused, and what is not there is 404."""
    await api.created()
    params = {"ReservedConcurrentExecutions": 1} if operation == PUT else {}

    qualified = await api.refusal(api(operation, FunctionName="f:1", **params))
    missing = await api.refusal(api(operation, FunctionName="none", **params))

    assert qualified.message.startswith("This operation is permitted on Lambda functions only.")
    qualifier = ":$LATEST" if operation == PUT else ""
    assert missing.message == f"Function not found: {api.arn}none{qualifier}"


async def test_a_reservation_goes_with_its_function(api):
    """A new function of that name has none."""
    await api.created()
    await api(PUT, FunctionName="f", ReservedConcurrentExecutions=5)
    await api("DeleteFunction", FunctionName="f")
    await api.created()

    assert await api(GET, FunctionName="f") == {}
    assert await unreserved(api) == 1_000


async def test_a_reservation_survives_a_restart(api, make_api):
    """A new server knows it."""
    await api.created()
    await api(PUT, FunctionName="f", ReservedConcurrentExecutions=5)

    later = make_api()
    await later.store.load()

    assert await later(GET, FunctionName="f") == {"ReservedConcurrentExecutions": 5}
    assert await unreserved(later) == 995


async def provision(api, qualifier, count, name="f"):
    """Ask for environments of a version."""
    await api(
        PROVISION, FunctionName=name, Qualifier=qualifier, ProvisionedConcurrentExecutions=count
    )


async def test_a_reservation_covers_what_is_provisioned(api):
    """Of all versions together; whichever comes second is refused, and nothing changes."""
    await api.created()
    await api("PublishVersion", FunctionName="f")
    await api("UpdateFunctionConfiguration", FunctionName="f", Timeout=9)
    await api("PublishVersion", FunctionName="f")
    await provision(api, "1", 3)
    await provision(api, "2", 4)

    low = await api.refusal(api(PUT, FunctionName="f", ReservedConcurrentExecutions=6))
    off = await api.refusal(api(PUT, FunctionName="f", ReservedConcurrentExecutions=0))
    await api(PUT, FunctionName="f", ReservedConcurrentExecutions=7)
    more = await api.refusal(provision(api, "1", 4))
    await provision(api, "1", 2)

    assert (low.code, "[7]" in low.message) == ("InvalidParameterValueException", True)
    assert off.message == low.message
    assert more.message == (
        "Requested Provisioned Concurrency should not be greater than the "
        "reservedConcurrentExecution for function"
    )
    assert await api(GET, FunctionName="f") == {"ReservedConcurrentExecutions": 7}


async def test_what_others_have_set_aside_cannot_be_provisioned(api):
    """A function with a reservation of its own provisions within that."""
    for name in ("f", "g"):
        await api.created(name)
        await api("PublishVersion", FunctionName=name)
    await api(PUT, FunctionName="g", ReservedConcurrentExecutions=800)

    error = await api.refusal(provision(api, "1", 101))
    await provision(api, "1", 100)
    await provision(api, "1", 800, name="g")

    assert "below its minimum value of [100]" in error.message


async def test_what_is_provisioned_of_all_functions_counts(api):
    """A hundred stay for those without; what lies within a reservation counts as that."""
    for name in ("f", "g", "h"):
        await api.created(name)
        await api("PublishVersion", FunctionName=name)
    await api(PUT, FunctionName="h", ReservedConcurrentExecutions=100)
    await provision(api, "1", 100, "h")
    await provision(api, "1", 500, "f")

    error = await api.refusal(provision(api, "1", 301, "g"))
    await provision(api, "1", 300, "g")
    await provision(api, "1", 200, "g")
    await provision(api, "1", 600, "f")

    assert "UnreservedConcurrentExecution below its minimum value of [100]" in error.message


async def test_of_two_who_ask_at_once_the_second_sees_what_the_first_has(api):
    """Whether they provision or reserve: together it would be too much."""
    for name in ("f", "g"):
        await api.created(name)
        await api("PublishVersion", FunctionName=name)

    provisioned = await asyncio.gather(
        provision(api, "1", 600, "f"), provision(api, "1", 600, "g"), return_exceptions=True
    )
    both = await asyncio.gather(
        api(PUT, FunctionName="g", ReservedConcurrentExecutions=10),
        provision(api, "1", 20, "g"),
        return_exceptions=True,
    )

    for found in (provisioned, both):
        assert [isinstance(each, CallerError) for each in found] == [False, True]
