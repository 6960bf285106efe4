"""Whether a topic may deliver to a queue or a function: their own policies decide."""

from emberbox.gateway.guard import ResourcePolicies
from emberbox.invoke.cross_account import Attachments
from emberbox.invoke.delivery_rights import may_deliver
from emberbox.model.names import BadNameError, parse_function_arn
from emberbox.parts.push_rights import policy_allows
from emberbox.services.sns.senders import MayDeliver
from emberbox.settings import AuthMode

_PRINCIPAL = "sns.amazonaws.com"
_SEND = "sqs:SendMessage"


def topic_rights(attachments: Attachments, queues: ResourcePolicies, mode: AuthMode) -> MayDeliver:
    """Asks the endpoint's policy where policies are enforced; elsewhere everything may."""

    async def may(topic_arn: str, endpoint: str) -> bool:
        if mode is not AuthMode.ENFORCED:
            return True
        account = topic_arn.split(":")[4]
        if endpoint.split(":")[2] == "sqs":
            return await policy_allows(queues, _PRINCIPAL, _SEND, endpoint, topic_arn)
        try:
            found = parse_function_arn(endpoint)
        except BadNameError:
            return False
        return may_deliver(
            attachments,
            _PRINCIPAL,
            (found.account or "", found.region or "", found.name),
            found.qualifier,
            source_arn=topic_arn,
            source_account=account,
        )

    return may
