"""Forms: the query protocol's requests, and SQS in the protocol it used to speak."""

import pytest
from gateway_models import CATALOG, botocore_model

from emberbox.errors import CallerError
from emberbox.gateway.codecs import CODECS
from emberbox.gateway.wire import Call, HttpRequest, MalformedError


def form(service, operation, body):
    model = CATALOG.model(service)
    call = Call(model, model.operation(operation))
    return CODECS["query"].parse(call, HttpRequest("POST", "/", body=body.encode()))


@pytest.mark.parametrize(
    ("operation", "body", "params"),
    [
        (
            "CreateQueue",
            "QueueName=q&Attribute.1.Name=DelaySeconds&Attribute.1.Value=5&Tag.1.Key=a&Tag.1.Value=b",
            {"QueueName": "q", "Attributes": {"DelaySeconds": "5"}, "tags": {"a": "b"}},
        ),
        (
            "ReceiveMessage",
            "QueueUrl=u&AttributeName.1=All&MessageAttributeName.1=a&MaxNumberOfMessages=10",
            {
                "QueueUrl": "u",
                "AttributeNames": ["All"],
                "MessageAttributeNames": ["a"],
                "MaxNumberOfMessages": 10,
            },
        ),
        (
            "SendMessage",
            "QueueUrl=u&MessageBody=a%2Bb&MessageAttribute.1.Name=n&"
            "MessageAttribute.1.Value.DataType=Binary&MessageAttribute.1.Value.BinaryValue=%2Fw%3D%3D",
            {
                "QueueUrl": "u",
                "MessageBody": "a+b",
                "MessageAttributes": {"n": {"DataType": "Binary", "BinaryValue": b"\xff"}},
            },
        ),
        (
            "SendMessageBatch",
            "QueueUrl=u&SendMessageBatchRequestEntry.2.Id=2&SendMessageBatchRequestEntry.2."
            "MessageBody=y&SendMessageBatchRequestEntry.1.Id=1&"
            "SendMessageBatchRequestEntry.1.MessageBody=x",
            {
                "QueueUrl": "u",
                "Entries": [{"Id": "1", "MessageBody": "x"}, {"Id": "2", "MessageBody": "y"}],
            },
        ),
        (
            "UntagQueue",
            "QueueUrl=u&TagKey.1=a&TagKey.2=b",
            {"QueueUrl": "u", "TagKeys": ["a", "b"]},
        ),
    ],
)
def test_sqs_is_understood_in_its_old_protocol(operation, body, params):
    """With the names its query API has in AWS's reference, though the model lost them."""
    assert form("sqs", operation, body) == params


def test_sqs_answers_in_its_old_protocol():
    """Old clients find the elements they look for."""
    model = CATALOG.model("sqs")
    message = {
        "MessageId": "m",
        "Body": "<b>",
        "Attributes": {"SentTimestamp": "1"},
        "MessageAttributes": {"n": {"DataType": "String", "StringValue": "v"}},
    }

    response = CODECS["query"].serialise(
        Call(model, model.operation("ReceiveMessage")), {"Messages": [message]}, "id"
    )

    assert response.body == (
        b'<ReceiveMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">'
        b"<ReceiveMessageResult><Message><MessageId>m</MessageId><Body>&lt;b&gt;</Body>"
        b"<Attribute><Name>SentTimestamp</Name><Value>1</Value></Attribute>"
        b"<MessageAttribute><Name>n</Name><Value><StringValue>v</StringValue>"
        b"<DataType>String</DataType></Value></MessageAttribute>"
        b"</Message></ReceiveMessageResult>"
        b"<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></ReceiveMessageResponse>"
    )


def test_the_old_names_do_not_change_the_json_of_sqs():
    """The same model serves both protocols."""
    ours, theirs = CATALOG.model("sqs"), botocore_model("sqs")
    for name in theirs.operation_names:
        shape = theirs.operation_model(name).input_shape
        mine = ours.operation(name).input
        assert [wire for _, wire, _ in mine.fields] == list(shape.members)


@pytest.mark.parametrize(
    ("body", "params"),
    [
        ("Names.member.1=a&Names.member.3=c", {"Names": ["a", "c"]}),
        ("Names.1=a&Names.2=b", {"Names": ["a", "b"]}),
        ("Names=", {"Names": []}),
    ],
)
def test_lists_in_forms(body, params):
    """With and without the word member, with gaps, and empty."""
    assert form("elbv2", "DescribeLoadBalancers", body) == params


@pytest.mark.parametrize(
    "body",
    [
        "Names.member.x=a",
        "Names.member.1.deeper=a",
        "PageSize=many",
        "." * 500 + "=1",
        "Names.member." + "9" * 40 + "=a",
    ],
)
def test_forms_that_do_not_fit_are_malformed_input(body):
    """Wrong indices, wrong types and wild depth."""
    with pytest.raises(CallerError) as caught:
        form("elbv2", "DescribeLoadBalancers", body)

    assert (caught.value.code, caught.value.status) == ("MalformedInput", 400)


def test_a_form_may_not_have_endless_fields():
    """The parser stops counting at a bound."""
    request = HttpRequest("POST", "/", body=b"a=1&" * 60_000)

    with pytest.raises(MalformedError):
        _ = request.form
