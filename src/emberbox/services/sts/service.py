"""The service `sts`. Who calls is read from the access key id: a session of ours, or the root."""

import base64
import hashlib
import re
from collections.abc import Mapping

from emberbox.clock import utc
from emberbox.errors import CallerError
from emberbox.identity.sessions import Credentials, ExpiredSessionError, Sessions
from emberbox.model.access_keys import parse_access_key_id
from emberbox.model.policy_documents import MalformedPolicyError, check_identity_policy
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.storage.identities import IdentityStore
from emberbox.storage.identity_records import RefusedError, Role
from emberbox.storage.sessions import Session

CHAINED_MAX_S = 3_600
ROOT_MAX_S = 3_600
PACKED_MAX_BYTES = 2_048
POLICY_ARNS_MAX = 10

_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/[\x21-\x7e]+")


class StsService:
    """STS over the identity store and the sessions."""

    name = "sts"

    def __init__(self, identities: IdentityStore, sessions: Sessions) -> None:
        self._identities = identities
        self._sessions = sessions
        self.operations: Mapping[str, Operation] = {
            "GetCallerIdentity": self.get_caller_identity,
            "AssumeRole": self.assume_role,
            "GetSessionToken": self.get_session_token,
            "GetAccessKeyInfo": self.get_access_key_info,
        }

    async def get_caller_identity(self, context: RequestContext, params: Params) -> Params:
        """Show who calls."""
        session = await self._session(context)
        if session is None or session.role is None or session.name is None:
            account = context.account if session is None else session.account
            return {"UserId": account, "Account": account, "Arn": _root_arn(account)}
        role_id = await self._role_id(session.account, session.role)
        return {
            "UserId": f"{role_id}:{session.name}",
            "Account": session.account,
            "Arn": _session_arn(session.account, session.role, session.name),
        }

    async def assume_role(self, context: RequestContext, params: Params) -> Params:
        """Issue credentials of a role."""
        caller = await self._session(context)
        _check_no_mfa(params)
        name = params["RoleSessionName"]
        role = await self._assumable(context, caller, params["RoleArn"])
        duration_s = _duration(role, caller, params.get("DurationSeconds", 3_600))
        packed = _packed_percent(params)
        credentials = await self._sessions.create(role.account, role.name, name, duration_s)
        answer: Params = {
            "Credentials": _credentials(credentials),
            "AssumedRoleUser": {
                "AssumedRoleId": f"{role.id}:{name}",
                "Arn": _session_arn(role.account, role.name, name),
            },
        }
        if packed is not None:
            answer["PackedPolicySize"] = packed
        if "SourceIdentity" in params:
            answer["SourceIdentity"] = params["SourceIdentity"]
        return answer

    async def get_session_token(self, context: RequestContext, params: Params) -> Params:
        """Issue temporary credentials of the caller, who is the account's root."""
        if await self._session(context) is not None:
            raise CallerError(
                "AccessDenied", "Cannot call GetSessionToken with session credentials", status=403
            )
        _check_no_mfa(params)
        duration_s = min(params.get("DurationSeconds", ROOT_MAX_S), ROOT_MAX_S)
        credentials = await self._sessions.create(context.account, None, None, duration_s)
        return {"Credentials": _credentials(credentials)}

    async def get_access_key_info(self, context: RequestContext, params: Params) -> Params:
        """Show the account that a key id names."""
        parsed = parse_access_key_id(params["AccessKeyId"])
        if parsed is None:
            raise CallerError(
                "ValidationError", "The access key ID does not name an account.", status=400
            )
        return {"Account": parsed[0]}

    async def _session(self, context: RequestContext) -> Session | None:
        try:
            return await self._sessions.find(context.access_key)
        except ExpiredSessionError:
            raise CallerError(
                "ExpiredToken", "The security token included in the request is expired", status=403
            ) from None

    async def _role_id(self, account: str, name: str) -> str:
        """A role's id, or one made of its name: the role of a function need not exist."""
        try:
            return (await self._identities.role_named(account, name)).id
        except RefusedError:
            digest = hashlib.sha256(f"{account}/{name}".encode()).digest()
            return f"AROA{base64.b32encode(digest)[:17].decode()}"

    async def _assumable(
        self, context: RequestContext, caller: Session | None, role_arn: str
    ) -> Role:
        found = _ROLE_ARN.fullmatch(role_arn)
        if found is None:
            raise CallerError("ValidationError", "Request ARN is invalid", status=400)
        role = await self._identities.role(found[1], role_arn)
        if role is None:
            who = _root_arn(context.account)
            if caller is not None and caller.role is not None and caller.name is not None:
                who = _session_arn(caller.account, caller.role, caller.name)
            raise CallerError(
                "AccessDenied",
                f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
                status=403,
            )
        return role


def _duration(role: Role, caller: Session | None, wanted_s: int) -> int:
    if wanted_s > role.max_session_s:
        raise CallerError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            status=400,
        )
    if caller is not None and caller.role is not None and wanted_s > CHAINED_MAX_S:
        raise CallerError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining",
            status=400,
        )
    return wanted_s


def _check_no_mfa(params: Params) -> None:
    if "TokenCode" in params or "SerialNumber" in params:
        raise CallerError(
            "AccessDenied",
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
            status=403,
        )


def _packed_percent(params: Params) -> int | None:
    policy, arns = params.get("Policy"), params.get("PolicyArns", ())
    if policy is not None:
        try:
            check_identity_policy(policy)
        except MalformedPolicyError as malformed:
            raise CallerError("MalformedPolicyDocument", str(malformed), status=400) from None
    if len(arns) > POLICY_ARNS_MAX:
        raise CallerError(
            "ValidationError", f"At most {POLICY_ARNS_MAX} PolicyArns are allowed.", status=400
        )
    sizes = [len(arn.get("arn", "")) for arn in arns]
    sizes += [len(tag["Key"]) + len(tag["Value"]) for tag in params.get("Tags", ())]
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


def _credentials(credentials: Credentials) -> Params:
    return {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": utc(credentials.expires),
    }


def _root_arn(account: str) -> str:
    return f"arn:aws:iam::{account}:root"


def _session_arn(account: str, role: str, session_name: str) -> str:
    return f"arn:aws:sts::{account}:assumed-role/{role}/{session_name}"
