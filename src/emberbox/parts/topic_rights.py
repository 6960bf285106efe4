"""Whether a topic may deliver to a queue or a function: their own policies decide."""

from emberbox.gateway.guard import ResourcePolicies
from emberbox.invoke.cross_account import Attachments
from emberbox.invoke.delivery_rights import may_deliver
from emberbox.model.names import BadNameError, parse_function_reference
from emberbox.model.policy.evaluation import Policies, Request, decide
from emberbox.model.policy.principals import service
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
            return await _may_send(queues, topic_arn, account, endpoint)
        try:
            found = parse_function_reference(endpoint)
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


async def _may_send(queues: ResourcePolicies, topic_arn: str, account: str, queue_arn: str) -> bool:
    context = {
        "aws:sourcearn": (topic_arn,),
        "aws:sourceaccount": (account,),
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": (_PRINCIPAL,),
    }
    owner = queue_arn.split(":")[4]
    request = Request(service(_PRINCIPAL), _SEND, queue_arn, owner, context)
    return decide(request, Policies(resource=tuple(await queues(queue_arn)))).is_allowed
