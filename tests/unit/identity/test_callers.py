"""Who has which key, what ends it, and what callers may do."""

import json

import pytest

from emberbox.errors import PlatformError
from emberbox.identity.authority import Question
from emberbox.identity.callers import UnknownKeyError
from emberbox.identity.sealing import Sealer
from emberbox.model.policy.documents import from_text
from emberbox.model.policy.evaluation import Layer
from emberbox.model.policy.principals import Kind as Who
from emberbox.model.policy.principals import service
from emberbox.storage.identity_records import Kind, Role, User
from emberbox.storage.sessions import Limits

ACCOUNT = "123456789012"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"


def text(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def question(action="lambda:InvokeFunction", resource=ARN, *policies, **context):
    return Question(action, resource, ACCOUNT, context, tuple(policies))


async def make_user(people, *statements, name="ann"):
    await people.store.users.create(
        User(ACCOUNT, name, "AIDAEXAMPLE", "/", 0.0, tags={"team": "red"})
    )
    if statements:
        await people.store.grants.put_inline(ACCOUNT, Kind.USER, name, "p", text(*statements))
    key, secret = await people.callers.new_key(ACCOUNT, name)
    return key.access_key, secret


async def make_role(people, *statements):
    role = Role(ACCOUNT, "r", "AROAEXAMPLE", "/", people.clock.now(), "{}")
    await people.store.create_role(role)
    if statements:
        await people.store.grants.put_inline(ACCOUNT, Kind.ROLE, "r", "p", text(*statements))


async def test_keys_have_callers(people):
    """A key leads to its user, or to the root of its account, and to its secret."""
    key, secret = await make_user(people)
    found = await people.callers.find(key)
    assert (found.principal.kind, found.name, found.secret) == (Who.USER, "ann", secret)
    assert people.callers.at_hand(key) is found
    made, _ = await people.callers.new_key(ACCOUNT, None)
    assert (await people.callers.find(made.access_key)).principal.kind is Who.ROOT
    with pytest.raises(UnknownKeyError):
        await people.callers.find("AKIANOBODY")
    assert secret not in repr(found)


async def test_what_ends_a_key(people):
    """A key that rests or is gone is nobody's at once."""
    key, _ = await make_user(people)
    await people.callers.find(key)
    await people.store.keys.set_active(ACCOUNT, "ann", key, is_active=False)
    assert people.callers.at_hand(key) is None
    with pytest.raises(UnknownKeyError):
        await people.callers.find(key)


async def test_a_session_ends_with_its_role(people, clock):
    """Also if another role of that name is made."""
    await make_role(people)
    made = await people.sessions.create(ACCOUNT, role="r", name="me", duration_s=3_600)
    assert (await people.callers.find(made.access_key_id)).principal.id == "AROAEXAMPLE:me"
    await people.store.delete_role(ACCOUNT, "r")
    with pytest.raises(UnknownKeyError):
        await people.callers.find(made.access_key_id)
    clock.advance(10)
    await make_role(people)
    with pytest.raises(UnknownKeyError):
        await people.callers.find(made.access_key_id)


async def test_sealed_texts_open_where_they_were_sealed():
    """With the same secret, under the same label, unchanged."""
    sealer = Sealer(b"a" * 32)
    sealed = sealer.seal("text", "label")
    assert sealer.open(sealed, "label") == "text"
    assert sealer.seal("text", "label") != sealed
    for other, label, data in (
        (sealer, "other", sealed),
        (Sealer(b"b" * 32), "label", sealed),
        (sealer, "label", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (sealer, "label", b""),
    ):
        with pytest.raises(PlatformError):
            other.open(data, label)


async def test_decisions_are_kept_and_forgotten(people):
    """What no context can change is decided once, until any identity changes."""
    key, _ = await make_user(people, allow("lambda:*"))
    caller = await people.callers.find(key)
    assert people.authority.kept(caller, question()) is None
    assert (await people.authority.may(caller, question())).is_allowed
    assert people.authority.kept(caller, question()).is_allowed
    await people.store.grants.delete_inline(ACCOUNT, Kind.USER, "ann", "p")
    assert people.authority.kept(caller, question()) is None
    assert not (await people.authority.may(caller, question())).is_allowed


async def test_decisions_on_context_are_made_anew(people):
    """A condition is looked at each time."""
    condition = {"StringEquals": {"aws:PrincipalTag/team": "red", "my:key": "yes"}}
    key, _ = await make_user(people, allow("*", Condition=condition))
    caller = await people.callers.find(key)
    assert (await people.authority.may(caller, question(**{"my:key": ("yes",)}))).is_allowed
    assert people.authority.kept(caller, question()) is None
    assert not (await people.authority.may(caller, question(**{"my:key": ("no",)}))).is_allowed


async def test_revoked_sessions(people, clock):
    """AWS's way to revoke the sessions of a role: a policy that denies older ones."""
    await make_role(people, allow("*"))
    old = await people.sessions.create(ACCOUNT, role="r", name="me", duration_s=3_600)
    before = await people.callers.find(old.access_key_id)
    assert (await people.authority.may(before, question())).is_allowed
    clock.advance(10)
    older = {"DateLessThan": {"aws:TokenIssueTime": str(int(clock.now()))}}
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": older}
    await people.store.grants.put_inline(ACCOUNT, Kind.ROLE, "r", "Revoke", text(deny))
    clock.advance(10)
    assert not (await people.authority.may(before, question())).is_allowed
    new = await people.sessions.create(ACCOUNT, role="r", name="me", duration_s=3_600)
    after = await people.callers.find(new.access_key_id)
    assert (await people.authority.may(after, question())).is_allowed


async def test_session_policies_limit(people):
    """Policies given with a session, as text or ARN, limit what its role allows."""
    await make_role(people, allow("*"))
    read = "arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess"
    for policies, expected in (((text(allow("lambda:*")),), True), ((read,), False)):
        made = await people.sessions.create(
            ACCOUNT, role="r", name="me", duration_s=900, limits=Limits(policies)
        )
        caller = await people.callers.find(made.access_key_id)
        decision = await people.authority.may(caller, question())
        assert decision.is_allowed is expected
        assert decision.layer is (Layer.IDENTITY if expected else Layer.SESSION)


async def test_what_the_platform_does_for_a_role(people):
    """Work for a function is decided by its role; a role that is gone allows nothing."""
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:q"
    role = f"arn:aws:iam::{ACCOUNT}:role/r"
    assert not await people.role_may(role, "sqs:ReceiveMessage", queue)
    await make_role(people, allow("sqs:ReceiveMessage", queue))
    assert await people.role_may(role, "sqs:ReceiveMessage", queue)
    assert not await people.role_may(role, "sqs:ReceiveMessage", queue + "2")


async def test_services_are_let_in_by_resource_policies(people):
    """A service delivers where the function's policy names it and its source."""
    source = "arn:aws:s3:::box"
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": ARN,
        "Condition": {"ArnLike": {"AWS:SourceArn": source}},
    }
    policy = from_text(ARN, text(statement))
    s3 = service("s3.amazonaws.com")

    def asked(arn):
        return question("lambda:InvokeFunction", ARN, policy, **{"aws:sourcearn": (arn,)})

    assert people.authority.may_service(s3, asked(source)).is_allowed
    assert not people.authority.may_service(s3, asked(source + "2")).is_allowed
    assert not people.authority.may_service(service("sns.amazonaws.com"), asked(source)).is_allowed
