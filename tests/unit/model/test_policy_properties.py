"""What holds of every set of policies, whatever they say."""

import json

from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.policy.documents import from_text
from emberbox.model.policy.evaluation import Policies, Verdict, decide
from emberbox.model.policy.principals import ANONYMOUS, root, service
from emberbox.model.policy_documents import MalformedPolicyError, check_identity_policy
from tests.unit.model.policy_cases import HERE, SESSION, STRANGER, THERE, USER, policy, request

NAMES = [
    "*",
    {"AWS": "*"},
    {"AWS": HERE},
    {"AWS": [THERE]},
    {"AWS": USER.arn},
    {"AWS": SESSION.arn},
    {"AWS": [SESSION.entity_arn, STRANGER.arn]},
    {"Service": "s3.amazonaws.com"},
]
CONDITIONS = [
    {},
    {"StringEquals": {"k": "v"}},
    {"StringNotEquals": {"k": "v"}},
    {"Null": {"k": "true"}},
    {"ForAllValues:StringLike": {"k": ["v*", "w"]}},
]
ACTIONS = st.sampled_from(["*", "s3:*", "s3:Get*", "s3:GetObject", "sqs:*", ["s3:*", "sqs:Send*"]])
RESOURCES = st.sampled_from(["*", "arn:aws:s3:::*", "arn:aws:s3:::box/*", "arn:aws:sqs:*:*:*"])


@st.composite
def statements(draw, effect=None):
    """A statement of any kind; its Principal counts in resource policies only."""
    made = {"Effect": effect or draw(st.sampled_from(["Allow", "Deny"]))}
    made[draw(st.sampled_from(["Action", "NotAction"]))] = draw(ACTIONS)
    made[draw(st.sampled_from(["Resource", "NotResource"]))] = draw(RESOURCES)
    principal = "Principal" if made["Effect"] == "Allow" else "NotPrincipal"
    made[draw(st.sampled_from(["Principal", principal]))] = draw(st.sampled_from(NAMES))
    return made | {"Condition": draw(st.sampled_from(CONDITIONS))}


LISTS = st.lists(statements(), max_size=3)
LAYERS = ("identity", "resource", "boundary", "session")
SETS = st.fixed_dictionaries(
    {
        "identity": LISTS,
        "resource": LISTS,
        "boundary": st.none() | LISTS,
        "session": st.none() | LISTS,
    }
)
REQUESTS = st.builds(
    request,
    st.sampled_from(
        [USER, SESSION, STRANGER, root(HERE), root(THERE), service("s3.amazonaws.com"), ANONYMOUS]
    ),
    st.sampled_from(["s3:GetObject", "s3:PutObject", "sqs:SendMessage"]),
    st.sampled_from(["arn:aws:s3:::box/a", "arn:aws:sqs:us-east-1:111122223333:q", "*"]),
    k=st.sampled_from([[], ["v"], ["v1", "w"], ["x"]]),
)


def policies(found):
    return Policies(
        identity=[policy(*found["identity"])],
        resource=[policy(*found["resource"])],
        boundary=None if found["boundary"] is None else policy(*found["boundary"]),
        session=None if found["session"] is None else [policy(*found["session"])],
    )


@given(REQUESTS, SETS, st.sampled_from(LAYERS))
def test_deny_always_wins(asked, found, layer):
    """A deny of everything, anywhere, refuses whatever the rest allows."""
    stop = {"Effect": "Deny", "Action": "*", "Resource": "*", "Principal": "*"}
    stopped = found | {layer: [*(found[layer] or []), stop]}
    assert decide(asked, policies(stopped)).verdict is Verdict.EXPLICIT_DENY


@given(REQUESTS, SETS, st.sampled_from(LAYERS), statements("Allow"))
def test_an_allow_takes_nothing_away(asked, found, layer, more):
    """Adding an allow to a policy never refuses what was allowed."""
    if found[layer] is not None and decide(asked, policies(found)).is_allowed:
        assert decide(asked, policies(found | {layer: [*found[layer], more]})).is_allowed


@given(REQUESTS, SETS, st.sampled_from(LAYERS), statements("Deny"))
def test_a_deny_gives_nothing(asked, found, layer, more):
    """Adding a deny to a policy never allows what was refused."""
    if found[layer] is not None and not decide(asked, policies(found)).is_allowed:
        assert not decide(asked, policies(found | {layer: [*found[layer], more]})).is_allowed


@given(REQUESTS, SETS, st.sampled_from(["boundary", "session"]), LISTS)
def test_a_limit_gives_nothing(asked, found, layer, limit):
    """A boundary or session policy never allows what without it was refused."""
    without = found | {layer: None}
    if decide(asked, policies(found | {layer: limit})).is_allowed:
        assert decide(asked, policies(without)).is_allowed


@given(REQUESTS, SETS)
def test_nothing_is_allowed_by_silence(asked, found):
    """Whoever is not root needs a statement that allows."""
    decision = decide(asked, policies(found))
    if decision.is_allowed and asked.principal not in (root(HERE), root(THERE)):
        assert decision.statement is not None
        assert decision.statement.allows


@given(REQUESTS, SETS, st.randoms())
def test_order_does_not_matter(asked, found, random):
    """Statements may stand in any order."""
    mixed = {n: s and random.sample(s, len(s)) for n, s in found.items()}
    assert decide(asked, policies(mixed)).verdict is decide(asked, policies(found)).verdict


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Version", "Statement", "Effect", "Action", "Resource", "Condition", "StringLike"]
            )
            | st.text(max_size=8),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON | SETS.map(lambda found: {"Version": "2012-10-17", "Statement": found["identity"]}))
def test_hostile_documents(document):
    """Any JSON is read without failing; what is no policy allows nothing."""
    text = json.dumps(document)
    try:
        check_identity_policy(text)
        is_policy = True
    except MalformedPolicyError:
        is_policy = False
    decision = decide(request(USER), Policies(identity=[from_text("any", text)]))
    if decision.is_allowed and not is_policy:
        # Only what IAM refuses for another reason may still be held against a request.
        assert decision.statement is not None


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
def test_hostile_texts(text):
    """No text at all makes the parser fail, and none of these allows anything."""
    assert not decide(request(USER), Policies(identity=[from_text("any", text)])).is_allowed
