"""Who may do what: the layers of policies, by the cases of the IAM user guide."""

import pytest

from emberbox.model.policy.documents import UnreadablePolicyError, compiled, from_text
from emberbox.model.policy.evaluation import Layer, Policies, Verdict, decide, matching
from emberbox.model.policy.principals import ANONYMOUS, Kind, Principal, root, service
from emberbox.model.policy.wording import cited, denial
from tests.unit.model.policy_cases import (
    BUCKET,
    FUNCTION,
    HERE,
    SESSION,
    STRANGER,
    THERE,
    USER,
    allow,
    deny,
    policy,
    request,
)

YES, NO, NEVER = Verdict.ALLOWED, Verdict.IMPLICIT_DENY, Verdict.EXPLICIT_DENY
GET = allow("s3:GetObject")
OTHER = allow("sqs:*")


def to(principal, **more):
    return allow("s3:GetObject", Principal=principal, **more)


def aws(*names):
    return {"AWS": list(names)}


STATEMENTS = [
    (allow("s3:GetObject", BUCKET), YES),
    (allow("s3:*"), YES),
    (allow("*"), YES),
    (allow("S3:getobject"), YES),
    (allow("s3:Get*"), YES),
    (allow("s3:G?tObject"), YES),
    (allow(["sqs:*", "s3:GetObject"]), YES),
    (allow("s3:Put*"), NO),
    (allow("s3:GetObjectAcl"), NO),
    (allow("GetObject"), NO),
    (allow("s3:GetObject", "arn:aws:s3:::other/*"), NO),
    (allow("s3:GetObject", ["arn:aws:s3:::other/*", "arn:aws:s3:::box/*"]), YES),
    ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, YES),
    ({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}, NO),
    ({"Effect": "Allow", "NotAction": ["sqs:*", "s3:Get*"], "Resource": "*"}, NO),
    ({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::secret/*"}, YES),
    ({"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::box/*"}, NO),
    ({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}, NO),
    ({"Effect": "Deny", "NotAction": "sqs:*", "Resource": "*"}, NEVER),
    ({"Effect": "Deny", "Action": "*", "NotResource": BUCKET}, NO),
    ({"Effect": "Deny", "Action": "*", "NotResource": "arn:aws:s3:::else"}, NEVER),
    (deny("s3:*"), NEVER),
    (allow("s3:*", Condition={"StringEquals": {"aws:username": "ann"}}), YES),
    (allow("s3:*", Condition={"StringEquals": {"aws:username": "bob"}}), NO),
    (deny("s3:*", Condition={"StringEquals": {"aws:username": "bob"}}), NO),
    (allow("s3:*", "arn:aws:s3:::box/${aws:username}.txt"), NO),
]


@pytest.mark.parametrize(("statement", "expected"), STATEMENTS)
def test_identity_policy_of_one_statement(statement, expected):
    """One statement allows, denies or does not concern a request."""
    found = decide(request(aws__username="ann"), Policies(identity=[policy(statement)]))
    assert found.verdict is expected
    assert (found.statement is None) is (expected is NO)


SAME_ACCOUNT = [
    # identity, resource, boundary, session -> verdict, deciding layer
    (USER, [], [], None, None, NO, Layer.IDENTITY),
    (USER, [GET], [], None, None, YES, Layer.IDENTITY),
    (USER, [GET, deny("s3:*")], [], None, None, NEVER, Layer.IDENTITY),
    (USER, [GET], [deny("s3:*", Principal="*")], None, None, NEVER, Layer.RESOURCE),
    (USER, [], [to(aws(USER.arn))], None, None, YES, Layer.RESOURCE),
    (USER, [], [to(aws(USER.id))], None, None, YES, Layer.RESOURCE),
    (USER, [], [to("*")], None, None, YES, Layer.RESOURCE),
    (USER, [], [to(aws("*"))], None, None, YES, Layer.RESOURCE),
    (USER, [], [to(aws(HERE))], None, None, NO, Layer.IDENTITY),
    (USER, [], [to(aws(f"arn:aws:iam::{HERE}:root"))], None, None, NO, Layer.IDENTITY),
    (USER, [GET], [to(aws(HERE))], None, None, YES, Layer.IDENTITY),
    (USER, [], [to(aws(STRANGER.arn))], None, None, NO, Layer.IDENTITY),
    (USER, [], [to({"Service": "s3.amazonaws.com"})], None, None, NO, Layer.IDENTITY),
    (USER, [], [GET], None, None, NO, Layer.IDENTITY),
    # A boundary limits what identity policies allow, and allows nothing itself.
    (USER, [GET], [], [GET], None, YES, Layer.IDENTITY),
    (USER, [GET], [], [OTHER], None, NO, Layer.BOUNDARY),
    (USER, [], [], [GET], None, NO, Layer.IDENTITY),
    (USER, [GET], [], [GET, deny("s3:*")], None, NEVER, Layer.BOUNDARY),
    # A resource policy that names the user is not limited by the boundary.
    (USER, [], [to(aws(USER.arn))], [OTHER], None, YES, Layer.RESOURCE),
    (USER, [], [to(aws(USER.arn))], [deny("s3:*")], None, NEVER, Layer.BOUNDARY),
    # Sessions
    (SESSION, [GET], [], None, None, YES, Layer.IDENTITY),
    (SESSION, [GET], [], None, [GET], YES, Layer.IDENTITY),
    (SESSION, [GET], [], None, [OTHER], NO, Layer.SESSION),
    (SESSION, [], [], None, [GET], NO, Layer.IDENTITY),
    (SESSION, [GET], [], None, [], NO, Layer.SESSION),
    (SESSION, [GET], [], None, [GET, deny("s3:*")], NEVER, Layer.SESSION),
    (SESSION, [GET], [], [OTHER], [GET], NO, Layer.BOUNDARY),
    # A resource policy that names the role stands in for its identity policies only.
    (SESSION, [], [to(aws(SESSION.entity_arn))], None, None, YES, Layer.RESOURCE),
    (SESSION, [], [to(aws("AROAWORKERWORKERWORKE"))], None, None, YES, Layer.RESOURCE),
    (SESSION, [], [to(aws(SESSION.entity_arn))], [OTHER], None, NO, Layer.BOUNDARY),
    (SESSION, [], [to(aws(SESSION.entity_arn))], None, [OTHER], NO, Layer.SESSION),
    (SESSION, [GET], [to(aws(SESSION.entity_arn))], None, [OTHER], NO, Layer.SESSION),
    # One that names the session is limited by neither.
    (SESSION, [], [to(aws(SESSION.arn))], [OTHER], [OTHER], YES, Layer.RESOURCE),
    (SESSION, [], [to("*")], [OTHER], None, YES, Layer.RESOURCE),
    # NotPrincipal
    (
        USER,
        [GET],
        [deny("s3:*", NotPrincipal=aws(STRANGER.arn))],
        None,
        None,
        NEVER,
        Layer.RESOURCE,
    ),
    (
        USER,
        [GET],
        [deny("s3:*", NotPrincipal=aws(USER.arn, HERE))],
        None,
        None,
        YES,
        Layer.IDENTITY,
    ),
    (USER, [GET], [deny("s3:*", NotPrincipal=aws(USER.arn))], None, None, NEVER, Layer.RESOURCE),
    (
        SESSION,
        [GET],
        [deny("s3:*", NotPrincipal=aws(SESSION.arn, SESSION.entity_arn, HERE))],
        None,
        None,
        YES,
        Layer.IDENTITY,
    ),
    (
        USER,
        [GET],
        [deny("s3:*", NotPrincipal=aws(USER.arn, HERE))],
        [GET],
        None,
        NEVER,
        Layer.RESOURCE,
    ),
    # The root user
    (root(HERE), [], [], None, None, YES, Layer.IDENTITY),
    (root(HERE), [], [deny("s3:*", Principal="*")], None, None, NEVER, Layer.RESOURCE),
    (root(HERE), [], [], None, [OTHER], NO, Layer.SESSION),
]


def policies(identity, resource, boundary, session, **more):
    return Policies(
        identity=[policy(*identity)] if identity else [],
        resource=[policy(*resource)] if resource else [],
        boundary=None if boundary is None else policy(*boundary),
        session=None if session is None else [policy(*session)] if session else [],
        **more,
    )


@pytest.mark.parametrize(
    ("who", "identity", "resource", "boundary", "session", "verdict", "layer"), SAME_ACCOUNT
)
def test_within_an_account(who, identity, resource, boundary, session, verdict, layer):
    """Within an account, identity or resource policies allow, and boundaries limit."""
    found = decide(request(who), policies(identity, resource, boundary, session))
    assert (found.verdict, found.layer) == (verdict, layer)


CROSS_ACCOUNT = [
    ([GET], [to(aws(THERE))], None, YES, Layer.RESOURCE),
    ([GET], [to(aws(STRANGER.arn))], None, YES, Layer.RESOURCE),
    ([GET], [to("*")], None, YES, Layer.RESOURCE),
    ([GET], [], None, NO, Layer.RESOURCE),
    ([GET], [to(aws(HERE))], None, NO, Layer.RESOURCE),
    ([], [to(aws(STRANGER.arn))], None, NO, Layer.IDENTITY),
    ([], [to("*")], None, NO, Layer.IDENTITY),
    ([GET], [to(aws(THERE))], [OTHER], NO, Layer.BOUNDARY),
    ([GET, deny("s3:*")], [to(aws(THERE))], None, NEVER, Layer.IDENTITY),
    ([GET], [to(aws(THERE)), deny("s3:*", Principal=aws(THERE))], None, NEVER, Layer.RESOURCE),
    ([GET], [to("*"), deny("s3:*", Principal=aws(HERE))], None, YES, Layer.RESOURCE),
]


@pytest.mark.parametrize(("identity", "resource", "boundary", "verdict", "layer"), CROSS_ACCOUNT)
def test_across_accounts(identity, resource, boundary, verdict, layer):
    """Across accounts, both sides must allow."""
    found = decide(request(STRANGER), policies(identity, resource, boundary, None))
    assert (found.verdict, found.layer) == (verdict, layer)


def test_root_of_another_account():
    """The root user of another account needs the resource's policy, and nothing of its own."""
    assert decide(request(root(THERE)), policies([], [to(aws(THERE))], None, None)).is_allowed
    assert not decide(request(root(THERE)), policies([], [], None, None)).is_allowed


S3 = service("s3.amazonaws.com")
INVOKE = "lambda:InvokeFunction"


def invocable(**more):
    return {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": INVOKE,
        "Resource": FUNCTION,
    } | more


FROM_BOX = {"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::box"}}
FROM_HERE = {"StringEquals": {"AWS:SourceAccount": HERE}}

DELIVERIES = [
    (S3, invocable(), YES),
    (service("sns.amazonaws.com"), invocable(), NO),
    (S3, invocable(Principal={"Service": ["sns.amazonaws.com", "s3.amazonaws.com"]}), YES),
    (S3, invocable(Principal="*"), YES),
    (S3, invocable(Principal={"AWS": "*"}), NO),
    (S3, invocable(Principal={"AWS": "*"}, Effect="Deny"), NEVER),
    (S3, invocable(Principal={"AWS": HERE}), NO),
    (S3, invocable(Condition=FROM_BOX), YES),
    (S3, invocable(Condition={"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::other"}}), NO),
    (S3, invocable(Condition=FROM_HERE), YES),
    (S3, invocable(Condition={"StringEquals": {"AWS:SourceAccount": THERE}}), NO),
    (S3, invocable(Condition={**FROM_BOX, **FROM_HERE}), YES),
    (S3, invocable(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), NO),
    (S3, invocable(Resource=f"{FUNCTION}:live"), NO),
    (S3, invocable(Action="lambda:GetFunction"), NO),
    (S3, invocable(Action="lambda:*"), YES),
    (S3, invocable(Effect="Deny"), NEVER),
    (ANONYMOUS, invocable(), NO),
    (ANONYMOUS, invocable(Principal="*"), YES),
    (ANONYMOUS, invocable(Principal={"AWS": "anonymous"}), NO),
]


@pytest.mark.parametrize(("who", "statement", "verdict"), DELIVERIES)
def test_services_and_strangers(who, statement, verdict):
    """A service of AWS, or nobody known, is allowed by resource policies alone."""
    asked = request(
        who, INVOKE, FUNCTION, aws__SourceArn="arn:aws:s3:::box", aws__SourceAccount=HERE
    )
    found = decide(asked, Policies(resource=[policy(statement)], identity=[policy(allow())]))
    assert found.verdict is verdict


ISSUER = "arn:aws:iam::111122223333:oidc-provider/id.example.com"


def trust(principal, action="sts:AssumeRole", **more):
    return {"Effect": "Allow", "Principal": principal, "Action": action} | more


TRUSTS = [
    (USER, [allow("sts:*")], trust(aws(HERE)), YES, Layer.IDENTITY),
    (USER, [], trust(aws(HERE)), NO, Layer.IDENTITY),
    (USER, [], trust(aws(USER.arn)), YES, Layer.TRUST),
    (USER, [allow("sts:*")], trust(aws(THERE)), NO, Layer.TRUST),
    (USER, [allow("sts:*")], trust({"Service": "lambda.amazonaws.com"}), NO, Layer.TRUST),
    (USER, [allow("sts:*")], trust(aws(HERE), "sts:TagSession"), NO, Layer.TRUST),
    (SESSION, [], trust(aws(SESSION.entity_arn)), YES, Layer.TRUST),
    (STRANGER, [allow("sts:*")], trust(aws(THERE)), YES, Layer.TRUST),
    (STRANGER, [], trust(aws(THERE)), NO, Layer.IDENTITY),
    (STRANGER, [allow("sts:*")], trust(aws(HERE)), NO, Layer.TRUST),
    (
        STRANGER,
        [allow("sts:*")],
        trust(aws(THERE), Condition={"StringEquals": {"sts:ExternalId": "x1"}}),
        YES,
        Layer.TRUST,
    ),
    (
        STRANGER,
        [allow("sts:*")],
        trust(aws(THERE), Condition={"StringEquals": {"sts:ExternalId": "x2"}}),
        NO,
        Layer.TRUST,
    ),
    (
        service("lambda.amazonaws.com"),
        [],
        trust({"Service": "lambda.amazonaws.com"}),
        YES,
        Layer.TRUST,
    ),
    (
        Principal(Kind.FEDERATED, provider=ISSUER),
        [],
        trust({"Federated": ISSUER}),
        YES,
        Layer.TRUST,
    ),
    (Principal(Kind.FEDERATED, provider="x"), [], trust({"Federated": ISSUER}), NO, Layer.TRUST),
]


@pytest.mark.parametrize(("who", "identity", "statement", "verdict", "layer"), TRUSTS)
def test_trust_policies(who, identity, statement, verdict, layer):
    """A role is assumed only by whom its trust policy names, even within its own account."""
    role = f"arn:aws:iam::{HERE}:role/target"
    asked = request(who, "sts:AssumeRole", role, sts__ExternalId="x1")
    found = decide(asked, policies(identity, [statement], None, None, trust=True))
    assert (found.verdict, found.layer) == (verdict, layer)


@pytest.mark.parametrize(
    ("identity", "resource", "boundary", "session", "ending"),
    [
        ([], [], None, None, "because no identity-based policy allows the s3:GetObject action"),
        ([deny()], [], None, None, "with an explicit deny in an identity-based policy"),
        ([], [deny(Principal="*")], None, None, "with an explicit deny in a resource-based policy"),
        (
            [GET],
            [],
            [OTHER],
            None,
            "because no permissions boundary allows the s3:GetObject action",
        ),
        ([GET], [], None, [OTHER], "because no session policy allows the s3:GetObject action"),
        ([GET], [], [deny()], None, "with an explicit deny in a permissions boundary"),
        ([GET], [], None, [deny()], "with an explicit deny in a session policy"),
    ],
)
def test_denials_say_why(identity, resource, boundary, session, ending):
    """A denial names who, what, on what, and the kind of policy."""
    asked = request()
    found = decide(asked, policies(identity, resource, boundary, session))
    assert denial(asked, found) == (
        f"User: {USER.arn} is not authorized to perform: s3:GetObject on resource: {BUCKET} "
        + ending
    )


def test_decision_cites_its_statement():
    """The statement that decides is known by policy, number and Sid."""
    found = decide(request(), Policies(identity=[policy(GET, deny(Sid="Stop"), name="mine")]))
    assert cited(found) == "statement 2 (Stop) of mine"
    assert cited(decide(request(), Policies())) == ""


def test_all_matching_statements():
    """Every statement that concerns a request is found, with its layer."""
    given = Policies(identity=[policy(GET, OTHER, deny("s3:Put*"))], boundary=policy(allow()))
    found = [(layer, statement.number) for layer, statement in matching(request(), given)]
    assert found == [(Layer.IDENTITY, 1), (Layer.BOUNDARY, 1)]


def test_unreadable_policy_denies():
    """A stored text that is no policy closes instead of opening."""
    for text in (
        "",
        "[]",
        "{",
        '{"Statement": 7}',
        '{"Statement": {"Effect": "Allow"',
        "[" * 9_999,
    ):
        found = decide(request(root(HERE)), Policies(identity=[from_text("broken", text)]))
        assert found.verdict is NEVER, text
    with pytest.raises(UnreadablePolicyError):
        compiled("p", {"Statement": [{"Effect": "Allow", "Action": [], "Resource": "*"}]})


def test_policies_know_the_keys_they_read():
    """A decision can be kept when no policy reads the context."""
    assert Policies(identity=[policy(GET)]).keys == frozenset()
    reading = policy(
        allow("*", "arn:aws:s3:::${aws:username}"),
        allow(Condition={"StringLike": {"AWS:SourceArn": "${my:Arn}"}}),
    )
    assert Policies(identity=[reading]).keys == {"aws:username", "aws:sourcearn", "my:arn"}
