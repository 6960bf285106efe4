"""Whether a rule or a schedule may do something to its target: policies and roles decide."""

from emberbox.gateway.guard import ResourcePolicies
from emberbox.invoke.cross_account import Attachments
from emberbox.invoke.delivery_rights import may_deliver
from emberbox.model.names import BadNameError, parse_function_arn
from emberbox.model.parcels import Parcel
from emberbox.model.policy.evaluation import Policies, Request, decide
from emberbox.model.policy.principals import service
from emberbox.services.targets.senders import May
from emberbox.settings import AuthMode
from emberbox.sources.rights import Rights

_OF_SCHEDULES = "scheduler.amazonaws.com"


def push_rights(
    attachments: Attachments,
    policies: dict[str, ResourcePolicies],
    roles: Rights,
    mode: AuthMode,
) -> May:
    """Asks where policies are enforced; elsewhere everything may.

    A role that is named decides, for schedules always. Without one it is the policy of the target;
    of a function it always is, when a rule sends. `policies` finds those of other targets.
    """

    async def may(parcel: Parcel, action: str, arn: str) -> bool:
        if mode is not AuthMode.ENFORCED:
            return True
        kind = arn.split(":")[2]
        is_schedule = parcel.principal == _OF_SCHEDULES
        if kind == "lambda" and not is_schedule:
            return _may_invoke(attachments, parcel, arn)
        # Dead letters of a rule go in its own name, not in that of its target's role.
        if is_schedule or (parcel.role and arn != parcel.dead_letters):
            return bool(parcel.role) and await roles(parcel.role, action, arn)
        if kind == "logs":
            return arn.split(":")[4] == parcel.account
        found = policies.get(kind)
        return found is not None and await policy_allows(
            found, parcel.principal, action, arn, parcel.source
        )

    return may


async def policy_allows(
    policies: ResourcePolicies, principal: str, action: str, arn: str, source_arn: str
) -> bool:
    """Whether a resource's own policy lets a service do that for a source."""
    context = {
        "aws:sourcearn": (source_arn,),
        "aws:sourceaccount": (source_arn.split(":")[4],),
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": (principal,),
    }
    request = Request(service(principal), action, arn, arn.split(":")[4], context)
    return decide(request, Policies(resource=tuple(await policies(arn)))).is_allowed


def _may_invoke(attachments: Attachments, parcel: Parcel, arn: str) -> bool:
    try:
        found = parse_function_arn(arn)
    except BadNameError:
        return False
    return may_deliver(
        attachments,
        parcel.principal,
        (found.account or "", found.region or "", found.name),
        found.qualifier,
        source_arn=parcel.source,
        source_account=parcel.account,
    )
