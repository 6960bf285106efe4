"""Whether a function's log may be written: its role is asked for what Lambda does in its name.

Source: "Working with Lambda function logs" of the Lambda guide: without logs:CreateLogGroup there
is a log only if somebody else has made the group.
"""

from emberbox.environment.quarters import MayLog
from emberbox.model.function import FunctionVersion
from emberbox.parts.identity import Identities
from emberbox.storage.log_records import GroupKey, MissingGroupError
from emberbox.storage.logs import LogStore


def log_rights(identities: Identities, groups: LogStore) -> MayLog:
    """Asks when an environment begins."""

    async def is_there(key: GroupKey) -> bool:
        try:
            await groups.group(key)
        except MissingGroupError:
            return False
        return True

    async def may_log(function: FunctionVersion, stream: str) -> bool:
        key = GroupKey(function.account, function.region, function.logging.group)
        group = f"arn:aws:logs:{key.region}:{key.account}:log-group:{key.name}:log-stream:"

        async def may(action: str, arn: str) -> bool:
            return await identities.role_may(function.role, f"logs:{action}", arn)

        if not await may("CreateLogStream", group + stream):
            return False
        if not await may("PutLogEvents", group + stream):
            return False
        return await is_there(key) or await may("CreateLogGroup", group)

    return may_log
