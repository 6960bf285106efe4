"""What requests for sessions may ask: durations, session policies, tags."""

import re
from collections.abc import Mapping

from emberbox.clock import utc
from emberbox.errors import CallerError
from emberbox.identity.sessions import Credentials
from emberbox.model.policy_documents import MalformedPolicyError, check_identity_policy
from emberbox.model.request import Params
from emberbox.storage.identity_records import Role
from emberbox.storage.sessions import Limits

CHAINED_MAX_S = 3_600
PACKED_MAX_BYTES = 2_048
POLICY_ARNS_MAX = 10

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/[\x21-\x7e]+")


def account_of_role(arn: str) -> str:
    """The account in a role's ARN; CallerError if it is none."""
    found = _ROLE_ARN.fullmatch(arn)
    if found is None:
        raise CallerError("ValidationError", "Request ARN is invalid", status=400)
    return found[1]


def duration(role: Role, wanted_s: int, *, is_chained: bool) -> int:
    """How long the session of a role will be; CallerError if it may not be as long as wanted."""
    if wanted_s > role.max_session_s:
        raise CallerError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            status=400,
        )
    if is_chained and wanted_s > CHAINED_MAX_S:
        raise CallerError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining",
            status=400,
        )
    return wanted_s


def check_no_mfa(params: Params) -> None:
    """CallerError for a request with a second factor: there are none here."""
    if "TokenCode" in params or "SerialNumber" in params:
        raise CallerError(
            "AccessDenied",
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
            status=403,
        )


def limits(params: Params, inherited: Limits) -> tuple[Limits, int | None]:
    """What limits the session asked for, and how full that is in percent; None if there is nothing.

    Transitive tags and the source identity of the caller's own session go on.
    """
    policy, arns = (
        params.get("Policy"),
        [each.get("arn", "") for each in params.get("PolicyArns", ())],
    )
    if policy is not None:
        try:
            check_identity_policy(policy)
        except MalformedPolicyError as malformed:
            raise CallerError("MalformedPolicyDocument", str(malformed), status=400) from None
    if len(arns) > POLICY_ARNS_MAX:
        raise CallerError(
            "ValidationError", f"At most {POLICY_ARNS_MAX} PolicyArns are allowed.", status=400
        )
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", ())}
    percent = _packed_percent(policy, arns, tags)
    policies = (*arns, *([] if policy is None else [policy]))
    passed_on = {key: value for key, value in inherited.tags if key in inherited.transitive}
    _check_not_replaced(tags, passed_on)
    made = Limits(
        policies=policies or None,
        tags=tuple({**passed_on, **tags}.items()),
        transitive=(*inherited.transitive, *params.get("TransitiveTagKeys", ())),
        source_identity=_source_identity(params, inherited),
    )
    return made, percent


def _check_not_replaced(tags: Mapping[str, str], passed_on: Mapping[str, str]) -> None:
    held = {key.lower() for key in passed_on}
    if any(key.lower() in held for key in tags):
        raise CallerError(
            "InvalidParameterValue",
            "One of the specified transitive tag keys can't be set because it conflicts with a "
            "transitive tag key from the calling session.",
            status=400,
        )


def _source_identity(params: Params, inherited: Limits) -> str | None:
    wanted = params.get("SourceIdentity")
    if inherited.source_identity is not None and wanted not in {None, inherited.source_identity}:
        raise CallerError(
            "AccessDenied", "SourceIdentity cannot be changed once it is set.", status=403
        )
    return inherited.source_identity or wanted


def _packed_percent(policy: str | None, arns: list[str], tags: Mapping[str, str]) -> int | None:
    sizes = [len(arn) for arn in arns]
    sizes += [len(key) + len(value) for key, value in tags.items()]
    sizes += [] if policy is None else [len(policy)]
    if not sizes:
        return None
    percent = -(-sum(sizes) * 100 // PACKED_MAX_BYTES)
    if percent > 100:
        raise CallerError(
            "PackedPolicyTooLarge",
            f"Packed size of session policies and tags is {percent}% of the allowed size.",
            status=400,
        )
    return percent


def shown(credentials: Credentials) -> Params:
    """Credentials as STS shows them."""
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": utc(credentials.expires),
    }
