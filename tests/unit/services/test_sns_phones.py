"""Mobile push and text messages of SNS: what is kept, and what says that it cannot be done."""

from contextlib import AsyncExitStack

import pytest

from emberbox.clock import ManualClock
from emberbox.model.notification import Urls
from emberbox.services.sns.service import SnsService

BASE = "arn:aws:sns:us-east-1:123456789012:"
KEYS = {"PlatformCredential": "secret", "PlatformPrincipal": "certificate"}


@pytest.fixture
async def sns(tmp_path, caller):
    async with AsyncExitStack() as stack:
        urls = Urls("http://127.0.0.1:4566", lambda: "http://127.0.0.1:4566/cert")
        service = await SnsService.start(tmp_path / "t.db", ManualClock(), None, urls, stack)
        yield caller(service)


async def make_application(sns, name="app", platform="APNS", **attributes):
    made = await sns(
        "CreatePlatformApplication", Name=name, Platform=platform, Attributes=KEYS | attributes
    )
    return made["PlatformApplicationArn"]


async def test_an_application_is_kept_without_its_credentials(sns, tmp_path):
    """It is listed, changed and deleted; the secret is nowhere on disk."""
    arn = await make_application(sns)
    assert arn == BASE + "app/APNS/app"
    assert await make_application(sns) == arn
    await sns(
        "SetPlatformApplicationAttributes",
        PlatformApplicationArn=arn,
        Attributes={"ApplePlatformTeamID": "T", "PlatformCredential": "secret"},
    )
    shown = {"Enabled": "true", "ApplePlatformTeamID": "T"}
    found = await sns("GetPlatformApplicationAttributes", PlatformApplicationArn=arn)
    assert found == {"Attributes": shown}
    listed = await sns("ListPlatformApplications")
    assert listed == {
        "PlatformApplications": [{"PlatformApplicationArn": arn, "Attributes": shown}]
    }
    assert not any(b"secret" in each.read_bytes() for each in tmp_path.iterdir())
    await sns("DeletePlatformApplication", PlatformApplicationArn=arn)
    refused = await sns.refused("GetPlatformApplicationAttributes", PlatformApplicationArn=arn)
    assert refused == ("NotFound", 404, "PlatformApplication does not exist")


async def test_an_endpoint_is_one_for_each_token(sns):
    """The same again is the same endpoint; with other data it is refused, also after a change."""
    application = await make_application(sns)
    asked = {"PlatformApplicationArn": application, "Token": "t1", "CustomUserData": "mine"}
    arn = (await sns("CreatePlatformEndpoint", **asked))["EndpointArn"]
    assert arn.startswith(BASE + "endpoint/APNS/app/")
    assert await sns("CreatePlatformEndpoint", **asked) == {"EndpointArn": arn}
    code, _, text = await sns.refused(
        "CreatePlatformEndpoint", **asked | {"CustomUserData": "yours"}
    )
    assert (code, "same Token, but different attributes" in text) == ("InvalidParameter", True)
    await sns("SetEndpointAttributes", EndpointArn=arn, Attributes={"Token": "t2"})
    again = await sns("CreatePlatformEndpoint", **asked | {"Token": "t2"})
    assert again == {"EndpointArn": arn}
    attributes = {"Enabled": "true", "Token": "t2", "CustomUserData": "mine"}
    assert await sns("GetEndpointAttributes", EndpointArn=arn) == {"Attributes": attributes}
    of_application = await sns(
        "ListEndpointsByPlatformApplication", PlatformApplicationArn=application
    )
    assert of_application["Endpoints"] == [{"EndpointArn": arn, "Attributes": attributes}]
    await sns("DeletePlatformApplication", PlatformApplicationArn=application)
    assert (await sns.refused("GetEndpointAttributes", EndpointArn=arn))[0] == "NotFound"


async def test_endpoints_are_listed_in_pages(sns):
    """A hundred at a time, each once."""
    application = await make_application(sns)
    made = set()
    for number in range(101):
        asked = {"PlatformApplicationArn": application, "Token": f"t{number}"}
        made.add((await sns("CreatePlatformEndpoint", **asked))["EndpointArn"])
    operation = "ListEndpointsByPlatformApplication"
    first = await sns(operation, PlatformApplicationArn=application)
    token = first["NextToken"]
    second = await sns(operation, PlatformApplicationArn=application, NextToken=token)
    arns = [each["EndpointArn"] for each in first["Endpoints"] + second["Endpoints"]]
    assert "NextToken" not in second
    assert (len(arns), set(arns)) == (101, made)


async def test_nothing_is_pushed_and_the_answer_says_so(sns):
    """Enabled, disabled and missing endpoints each have their error."""
    application = await make_application(sns)
    asked = {"PlatformApplicationArn": application, "Token": "t"}
    arn = (await sns("CreatePlatformEndpoint", **asked))["EndpointArn"]
    code, _, text = await sns.refused("Publish", TargetArn=arn, Message="m")
    assert (code, "does not build pushing" in text) == ("InvalidParameter", True)
    await sns("SetEndpointAttributes", EndpointArn=arn, Attributes={"Enabled": "false"})
    assert (await sns.refused("Publish", TargetArn=arn, Message="m"))[0] == "EndpointDisabled"
    await sns("DeleteEndpoint", EndpointArn=arn)
    assert (await sns.refused("Publish", TargetArn=arn, Message="m"))[0] == "NotFound"


@pytest.mark.parametrize(
    ("platform", "attributes", "word"),
    [
        ("PIGEON", KEYS, "PIGEON"),
        ("APNS", {"PlatformCredential": "s"}, "PlatformPrincipal"),
        ("GCM", {}, "PlatformCredential"),
        ("APNS", KEYS | {"EventDeliveryFailure": BASE + "t"}, "does not build"),
        ("APNS", KEYS | {"Enabled": "perhaps"}, "Enabled"),
    ],
)
async def test_an_application_that_cannot_be_is_refused(sns, platform, attributes, word):
    """By the name of what is wrong; an event that would never come is not promised."""
    asked = {"Name": "a", "Platform": platform, "Attributes": attributes}
    code, _, text = await sns.refused("CreatePlatformApplication", **asked)
    assert code == "InvalidParameter"
    assert word in text


async def test_another_account_cannot_see_an_application(sns):
    """Its ARN is refused."""
    arn = await make_application(sns)
    other = sns.as_(account="999999999999")
    refused = await other.refused("GetPlatformApplicationAttributes", PlatformApplicationArn=arn)
    assert refused[0] == "AuthorizationError"


async def test_settings_of_text_messages_are_kept(sns):
    """All of them or those that are asked for; an empty value takes one back."""
    asked = {"DefaultSMSType": "Transactional", "DefaultSenderID": "ember"}
    await sns("SetSMSAttributes", attributes=asked)
    assert await sns("GetSMSAttributes") == {"attributes": asked}
    await sns("SetSMSAttributes", attributes={"DefaultSenderID": ""})
    assert await sns("GetSMSAttributes", attributes=["DefaultSenderID"]) == {"attributes": {}}
    for wrong in ({"DefaultSMSType": "Fast"}, {"Colour": "red"}, {"DefaultSenderID": "12345"}):
        assert (await sns.refused("SetSMSAttributes", attributes=wrong))[0] == "InvalidParameter"


async def test_a_number_of_the_sandbox_stays_pending(sns):
    """No password was sent, so none is right; ten numbers are the most."""
    assert await sns("GetSMSSandboxAccountStatus") == {"IsInSandbox": True}
    numbers = [f"+1555000000{n}" for n in range(10)]
    for number in [*numbers, numbers[0]]:
        await sns("CreateSMSSandboxPhoneNumber", PhoneNumber=number)
    assert (await sns.refused("CreateSMSSandboxPhoneNumber", PhoneNumber="+15550009999"))[
        0
    ] == "UserError"
    page = await sns("ListSMSSandboxPhoneNumbers", MaxResults=9)
    rest = await sns("ListSMSSandboxPhoneNumbers", MaxResults=9, NextToken=page["NextToken"])
    shown = page["PhoneNumbers"] + rest["PhoneNumbers"]
    assert shown == [{"PhoneNumber": number, "Status": "Pending"} for number in numbers]
    verify = {"PhoneNumber": numbers[0], "OneTimePassword": "12345"}
    assert (await sns.refused("VerifySMSSandboxPhoneNumber", **verify))[
        0
    ] == "VerificationException"
    await sns("DeleteSMSSandboxPhoneNumber", PhoneNumber=numbers[0])
    refused = await sns.refused("DeleteSMSSandboxPhoneNumber", PhoneNumber=numbers[0])
    assert refused[0] == "ResourceNotFound"


async def test_nobody_has_opted_out(sns):
    """Nobody got a message to opt out of; what is no number is refused."""
    assert await sns("ListPhoneNumbersOptedOut") == {"phoneNumbers": []}
    assert await sns("ListOriginationNumbers") == {"PhoneNumbers": []}
    number = "+15550000001"
    assert await sns("CheckIfPhoneNumberIsOptedOut", phoneNumber=number) == {"isOptedOut": False}
    assert await sns("OptInPhoneNumber", phoneNumber=number) == {}
    assert (await sns.refused("OptInPhoneNumber", phoneNumber="five"))[0] == "InvalidParameter"
    assert (await sns.refused("Publish", PhoneNumber=number, Message="m"))[0] == "InvalidParameter"
