"""Services deliver where the function's policy lets them."""

import pytest

from emberbox.invoke.delivery_rights import may_deliver
from emberbox.model.attachment import Attachment, Kind
from emberbox.model.resource_policy import statement, with_statement

KEY = ("123456789012", "us-east-1", "f")
ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
BOX, HERE = "arn:aws:s3:::box", "123456789012"


class Attached:
    """A function with one policy, as AddPermission makes it."""

    def __init__(self, qualifier="$LATEST", **more):
        resource = ARN if qualifier == "$LATEST" else f"{ARN}:{qualifier}"
        params = {
            "StatementId": "s",
            "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
            **more,
        }
        document = with_statement(None, statement(resource, params))
        self._policy = Attachment(Kind.POLICY, qualifier, document, 0.0)

    def attachment(self, key, kind, qualifier):
        fits = (key, kind, qualifier) == (KEY, Kind.POLICY, self._policy.qualifier)
        return self._policy if fits else None


def may(attached, principal="s3.amazonaws.com", qualifier=None, source=BOX, account=HERE):
    return may_deliver(
        attached, principal, KEY, qualifier, source_arn=source, source_account=account
    )


@pytest.mark.parametrize(
    ("permission", "delivery", "expected"),
    [
        ({}, {}, True),
        ({}, {"principal": "sns.amazonaws.com"}, False),
        ({"SourceArn": BOX}, {}, True),
        ({"SourceArn": BOX}, {"source": "arn:aws:s3:::other"}, False),
        ({"SourceArn": "arn:aws:s3:::b*"}, {}, True),
        ({"SourceAccount": HERE}, {}, True),
        ({"SourceAccount": HERE}, {"account": "999999999999"}, False),
        ({"SourceArn": BOX, "SourceAccount": HERE}, {"account": "999999999999"}, False),
        ({"Action": "lambda:GetFunction"}, {}, False),
        ({"Action": "lambda:*"}, {}, True),
        ({"qualifier": "live"}, {"qualifier": "live"}, True),
        ({"qualifier": "live"}, {}, False),
        ({}, {"qualifier": "live"}, False),
        ({"Principal": "999999999999"}, {}, False),
    ],
)
def test_deliveries(permission, delivery, expected):
    """Principal, source, account and qualifier must all be those of the permission."""
    assert may(Attached(**permission), **delivery) is expected
