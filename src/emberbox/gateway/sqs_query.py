"""The names that SQS had in its query protocol, laid over the model, which today is JSON only.

Old clients and many that are not Python's still send forms. The names go into traits that only the
query codec reads.
"""

from collections.abc import MutableMapping
from typing import Any, Final

from emberbox.gateway.shapes import Shape

_LISTS: Final = {
    "AWSAccountIdList": "AWSAccountId",
    "ActionNameList": "ActionName",
    "AttributeNameList": "AttributeName",
    "BatchResultErrorEntryList": "BatchResultErrorEntry",
    "BinaryList": "BinaryListValue",
    "ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
    "ChangeMessageVisibilityBatchResultEntryList": "ChangeMessageVisibilityBatchResultEntry",
    "DeleteMessageBatchRequestEntryList": "DeleteMessageBatchRequestEntry",
    "DeleteMessageBatchResultEntryList": "DeleteMessageBatchResultEntry",
    "ListMessageMoveTasksResultEntryList": "ListMessageMoveTasksResultEntry",
    "MessageAttributeNameList": "MessageAttributeName",
    "MessageList": "Message",
    "MessageSystemAttributeList": "MessageSystemAttributeName",
    "QueueUrlList": "QueueUrl",
    "SendMessageBatchRequestEntryList": "SendMessageBatchRequestEntry",
    "SendMessageBatchResultEntryList": "SendMessageBatchResultEntry",
    "StringList": "StringListValue",
    "TagKeyList": "TagKey",
}
"""List shape -> name of its elements."""

_MAPS: Final = {
    "MessageBodyAttributeMap": ("MessageAttribute", "Name", "Value"),
    "MessageBodySystemAttributeMap": ("MessageSystemAttribute", "Name", "Value"),
    "MessageSystemAttributeMap": ("Attribute", "Name", "Value"),
    "QueueAttributeMap": ("Attribute", "Name", "Value"),
    "TagMap": ("Tag", "Key", "Value"),
}
"""Map shape -> name of its entries, of their keys and of their values."""

_NAMESPACE: Final = "http://queue.amazonaws.com/doc/2012-11-05/"


def restore_names(raw: MutableMapping[str, Any]) -> None:
    """Amend the raw model of SQS in place."""
    raw["metadata"]["xmlNamespace"] = _NAMESPACE
    shapes = raw["shapes"]
    for shape, element in _LISTS.items():
        shapes[shape]["member"]["locationName"] = element
    for shape, (_, key, value) in _MAPS.items():
        shapes[shape]["key"]["locationName"] = key
        shapes[shape]["value"]["locationName"] = value
    for shape in shapes.values():
        for member in shape.get("members", {}).values():
            if member["shape"] in _MAPS:
                member["queryName"] = _MAPS[member["shape"]][0]


def add_queue_url(params: MutableMapping[str, Any], shape: Shape, path: str) -> None:
    """Old clients send to the queue's own URL and do not name it again in the form."""
    if "QueueUrl" in shape.members and path != "/":
        params.setdefault("QueueUrl", path)
