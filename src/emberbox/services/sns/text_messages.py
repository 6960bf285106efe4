"""Text messages to phones: their settings, and the numbers of the sandbox. None is ever sent.

So nobody has opted out of them, there are no numbers that they come from, and no number can be
verified: its password would come in one.
Source: API reference of Amazon SNS, SetSMSAttributes and the operations with SMS in their names.
"""

import re
from collections.abc import Callable
from typing import Final

from emberbox.errors import CallerError
from emberbox.model.page_tokens import to_token
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.topic import invalid_parameter
from emberbox.services.sns.naming import PAGE, after
from emberbox.storage.sns_records import RecordKey, SnsRecords

_SETTINGS: Final = "sms"
_NUMBER: Final = "sandbox-number"
_PHONE: Final = re.compile(r"\+[1-9]\d{6,14}\Z", re.ASCII)
_NUMBERS_MAX: Final = 10
_LANGUAGES: Final = frozenset(
    {
        "en-US",
        "en-GB",
        "es-419",
        "es-ES",
        "de-DE",
        "fr-CA",
        "fr-FR",
        "it-IT",
        "ja-JP",
        "pt-BR",
        "kr-KR",
        "zh-CN",
        "zh-TW",
    }
)


def _is_number(most: int) -> Callable[[str], bool]:
    return lambda text: len(text) < 10 and text.isdecimal() and int(text) <= most


_RULES: Final[dict[str, Callable[[str], bool]]] = {
    "MonthlySpendLimit": _is_number(999_999_999),
    "DeliveryStatusIAMRole": lambda text: bool(re.match(r"arn:aws[a-z-]*:iam::\d{12}:role/", text)),
    "DeliveryStatusSuccessSamplingRate": _is_number(100),
    "DefaultSenderID": lambda text: bool(re.match(r"(?=.*[A-Za-z])[A-Za-z0-9-]{1,11}\Z", text)),
    "DefaultSMSType": lambda text: text in ("Promotional", "Transactional"),
    "UsageReportS3Bucket": lambda text: bool(re.match(r"[a-z0-9.-]{3,63}\Z", text)),
}


class TextMessageOperations:
    """What there is of text messages."""

    def __init__(self, records: SnsRecords) -> None:
        self._records = records

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CheckIfPhoneNumberIsOptedOut": self.check_if_phone_number_is_opted_out,
            "CreateSMSSandboxPhoneNumber": self.create_sms_sandbox_phone_number,
            "DeleteSMSSandboxPhoneNumber": self.delete_sms_sandbox_phone_number,
            "GetSMSAttributes": self.get_sms_attributes,
            "GetSMSSandboxAccountStatus": self.get_sms_sandbox_account_status,
            "ListOriginationNumbers": self.list_origination_numbers,
            "ListPhoneNumbersOptedOut": self.list_phone_numbers_opted_out,
            "ListSMSSandboxPhoneNumbers": self.list_sms_sandbox_phone_numbers,
            "OptInPhoneNumber": self.opt_in_phone_number,
            "SetSMSAttributes": self.set_sms_attributes,
            "VerifySMSSandboxPhoneNumber": self.verify_sms_sandbox_phone_number,
        }

    async def set_sms_attributes(self, context: RequestContext, params: Params) -> Params:
        """Change some settings."""
        asked: dict[str, str] = params["attributes"]
        for name, value in asked.items():
            if name not in _RULES or (value and not _RULES[name](value)):
                raise invalid_parameter(f"{name[:64]} Reason: {value[:64]} is not valid")
        key = RecordKey(context.account, context.region, _SETTINGS, "")
        await self._records.put(
            key, lambda found: {n: v for n, v in {**(found or {}), **asked}.items() if v}
        )
        return {}

    async def get_sms_attributes(self, context: RequestContext, params: Params) -> Params:
        """The settings that were made, all or those that are asked for."""
        key = RecordKey(context.account, context.region, _SETTINGS, "")
        found = await self._records.get(key) or {}
        wanted = params.get("attributes") or list(_RULES)
        for name in wanted:
            if name not in _RULES:
                raise invalid_parameter(f"attributes Reason: {name[:64]} is no such setting")
        return {"attributes": {name: found[name] for name in wanted if name in found}}

    async def check_if_phone_number_is_opted_out(
        self, _context: RequestContext, params: Params
    ) -> Params:
        """No: nobody got a message to opt out of."""
        _check_phone(params["phoneNumber"], "phoneNumber")
        return {"isOptedOut": False}

    async def opt_in_phone_number(self, _context: RequestContext, params: Params) -> Params:
        """Nothing to be done: it has not opted out."""
        _check_phone(params["phoneNumber"], "phoneNumber")
        return {}

    async def list_phone_numbers_opted_out(
        self, _context: RequestContext, _params: Params
    ) -> Params:
        """None."""
        return {"phoneNumbers": []}

    async def list_origination_numbers(self, _context: RequestContext, _params: Params) -> Params:
        """None."""
        return {"PhoneNumbers": []}

    async def get_sms_sandbox_account_status(
        self, _context: RequestContext, _params: Params
    ) -> Params:
        """An account is in the sandbox for ever."""
        return {"IsInSandbox": True}

    async def create_sms_sandbox_phone_number(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Keep a number, pending: no password is sent."""
        key = _number(context, params)
        if params.get("LanguageCode") not in _LANGUAGES | {None}:
            raise invalid_parameter("LanguageCode Reason: no such language")
        known = await self._records.page(key._replace(name=""), "", _NUMBERS_MAX)
        if len(known) >= _NUMBERS_MAX and key.name not in dict(known):
            raise CallerError(
                "UserError", f"There are {_NUMBERS_MAX} numbers in the sandbox already.", status=400
            )
        await self._records.put(key, lambda found: found or {"Status": "Pending"})
        return {}

    async def verify_sms_sandbox_phone_number(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Refused: there is no password that could be right."""
        if await self._records.get(_number(context, params)) is None:
            raise _no_number()
        raise CallerError(
            "VerificationException",
            "Emberbox sends no text messages, so there is no one-time password to verify.",
            status=400,
        )

    async def delete_sms_sandbox_phone_number(
        self, context: RequestContext, params: Params
    ) -> Params:
        """Forget a number."""
        if not await self._records.remove(_number(context, params)):
            raise _no_number()
        return {}

    async def list_sms_sandbox_phone_numbers(
        self, context: RequestContext, params: Params
    ) -> Params:
        """The numbers of the account, all of them pending."""
        beginning = RecordKey(context.account, context.region, _NUMBER, "")
        limit = params.get("MaxResults") or PAGE
        found = await self._records.page(beginning, after(params.get("NextToken")), limit + 1)
        shown = [{"PhoneNumber": n, "Status": c["Status"]} for n, c in found[:limit]]
        token = {"NextToken": to_token(found[limit - 1][0])} if len(found) > limit else {}
        return {"PhoneNumbers": shown, **token}


def _check_phone(number: str, member: str) -> None:
    if not _PHONE.match(number):
        raise invalid_parameter(f"{member} Reason: input incorrectly formatted")


def _number(context: RequestContext, params: Params) -> RecordKey:
    _check_phone(params["PhoneNumber"], "PhoneNumber")
    return RecordKey(context.account, context.region, _NUMBER, params["PhoneNumber"])


def _no_number() -> CallerError:
    return CallerError("ResourceNotFound", "The number is not in the sandbox.", status=404)
