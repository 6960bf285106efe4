"""Who may deliver events to a function: its resource policy decides, at each delivery.

A service of AWS, here a part of this server at work for a bucket, a topic or a rule, is let
in by nothing else: no identity policy speaks for it.
"""

from emberbox.invoke.cross_account import Attachments
from emberbox.model.attachment import Kind
from emberbox.model.names import LATEST, function_arn
from emberbox.model.policy.documents import from_text
from emberbox.model.policy.evaluation import Policies, Request, decide
from emberbox.model.policy.principals import service
from emberbox.model.resource_policy import text_of

_INVOKE = "lambda:InvokeFunction"


def may_deliver(
    attachments: Attachments,
    principal: str,
    key: tuple[str, str, str],
    qualifier: str | None,
    *,
    source_arn: str,
    source_account: str,
) -> bool:
    """Whether a service, such as `s3.amazonaws.com`, may invoke a function for a source.

    `key` is the function's account, region and name, `qualifier` what the source names of it.
    """
    found = attachments.attachment(key, Kind.POLICY, qualifier or LATEST)
    policies = () if found is None else (from_text("resource policy", text_of(found.value)),)
    context = {
        "aws:sourcearn": (source_arn,),
        "aws:sourceaccount": (source_account,),
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": (principal,),
    }
    arn = function_arn(*key, qualifier)
    request = Request(service(principal), _INVOKE, arn, key[0], context)
    return decide(request, Policies(resource=policies)).is_allowed
