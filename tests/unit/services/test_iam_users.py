"""IAM: users, groups, keys, instance profiles, issuers, the account, as their clients see them."""

import json

import pytest

from emberbox.model.access_keys import parse_access_key_id
from emberbox.model.policy.principals import Kind, Principal
from tests.unit.services.test_iam_service import ALLOW, BASIC, TRUST, everything

ACCOUNT = "123456789012"


@pytest.fixture
def iam(people, caller):
    return caller(people.iam)


async def make_user(iam, name="ann", **more):
    return (await iam("CreateUser", UserName=name, **more))["User"]


async def test_users_come_and_go(iam):
    """A user is shown as made, found by name, listed by path, and gone when deleted."""
    made = await make_user(iam, Path="/team/", Tags=[{"Key": "a", "Value": "b"}])
    await make_user(iam, "bob")

    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/ann"
    assert made["UserId"].startswith("AIDA")
    assert (await iam("GetUser", UserName="ann"))["User"] == made
    listed = await iam("ListUsers", PathPrefix="/team/")
    assert [user["UserName"] for user in listed["Users"]] == ["ann"]
    assert [u["UserName"] for u in await everything(iam, "ListUsers", "Users")] == ["ann", "bob"]
    await iam("DeleteUser", UserName="ann")
    code, status, text = await iam.refused("GetUser", UserName="ann")
    assert (code, status) == ("NoSuchEntity", 404)
    assert text == "The user with name ann cannot be found."


async def test_user_names_are_taken_in_any_case(iam):
    """A name that differs in case only is the same."""
    await make_user(iam)
    code, _, _ = await iam.refused("CreateUser", UserName="Ann")
    assert code == "EntityAlreadyExists"


async def test_a_user_without_a_name_is_the_caller(iam):
    """GetUser and the operations on keys mean the caller where no name is given."""
    made = await make_user(iam)
    principal = Principal(Kind.USER, ACCOUNT, made["Arn"], made["Arn"], made["UserId"])
    ann = iam.as_(principal=principal)

    assert (await ann("GetUser"))["User"]["UserName"] == "ann"
    assert (await ann("CreateAccessKey"))["AccessKey"]["UserName"] == "ann"
    assert (await iam("ListAccessKeys"))["AccessKeyMetadata"] == []  # the root's
    session = iam.as_(principal=Principal(Kind.ROLE, ACCOUNT, "a", "b", "c"))
    code, _, _ = await session.refused("CreateAccessKey")
    assert code == "ValidationError"


async def test_renaming_keeps_what_belongs_to_a_user(iam):
    """Policies, groups and keys follow the new name."""
    await make_user(iam)
    await iam("CreateGroup", GroupName="g")
    await iam("AddUserToGroup", GroupName="g", UserName="ann")
    await iam("PutUserPolicy", UserName="ann", PolicyName="p", PolicyDocument=ALLOW)
    await iam("AttachUserPolicy", UserName="ann", PolicyArn=BASIC)
    await iam("CreateAccessKey", UserName="ann")

    await iam("UpdateUser", UserName="ann", NewUserName="eve", NewPath="/x/")

    assert (await iam("GetUser", UserName="eve"))["User"]["Path"] == "/x/"
    assert (await iam("ListUserPolicies", UserName="eve"))["PolicyNames"] == ["p"]
    assert len((await iam("ListAttachedUserPolicies", UserName="eve"))["AttachedPolicies"]) == 1
    assert len((await iam("ListAccessKeys", UserName="eve"))["AccessKeyMetadata"]) == 1
    assert (await iam("GetGroup", GroupName="g"))["Users"][0]["UserName"] == "eve"
    await make_user(iam, "ann")
    code, _, _ = await iam.refused("UpdateUser", UserName="ann", NewUserName="EVE")
    assert code == "EntityAlreadyExists"


@pytest.mark.parametrize(
    ("do", "undo", "text"),
    [
        ("PutUserPolicy", "DeleteUserPolicy", "must delete policies first"),
        ("AttachUserPolicy", "DetachUserPolicy", "must detach all policies first"),
        ("AddUserToGroup", "RemoveUserFromGroup", "must remove user from all groups first"),
    ],
)
async def test_a_user_with_anything_stays(iam, do, undo, text):
    """A user goes only when nothing is left of it."""
    await make_user(iam)
    await iam("CreateGroup", GroupName="g")
    parts = {
        "PutUserPolicy": {"PolicyName": "p"},
        "AttachUserPolicy": {"PolicyArn": BASIC},
        "AddUserToGroup": {"GroupName": "g"},
    }[do]
    more = {"PolicyDocument": ALLOW} if do == "PutUserPolicy" else {}
    await iam(do, UserName="ann", **parts, **more)
    code, status, said = await iam.refused("DeleteUser", UserName="ann")
    assert (code, status) == ("DeleteConflict", 409)
    assert text in said
    await iam(undo, UserName="ann", **parts)
    await iam("DeleteUser", UserName="ann")


async def test_keys_name_their_account_and_end(iam):
    """Two keys at most; a key can rest, and goes for good."""
    await make_user(iam)
    made = (await iam("CreateAccessKey", UserName="ann"))["AccessKey"]
    assert parse_access_key_id(made["AccessKeyId"])[0] == ACCOUNT
    assert made["AccessKeyId"].startswith("AKIA")
    assert len(made["SecretAccessKey"]) == 40
    await iam("CreateAccessKey", UserName="ann")
    code, status, _ = await iam.refused("CreateAccessKey", UserName="ann")
    assert (code, status) == ("LimitExceeded", 409)
    which = {"UserName": "ann", "AccessKeyId": made["AccessKeyId"]}
    await iam("UpdateAccessKey", **which, Status="Inactive")
    shown = (await iam("ListAccessKeys", UserName="ann"))["AccessKeyMetadata"]
    assert {key["Status"] for key in shown} == {"Active", "Inactive"}
    assert all("SecretAccessKey" not in key for key in shown)
    await iam("DeleteAccessKey", **which)
    code, _, _ = await iam.refused("DeleteAccessKey", **which)
    assert code == "NoSuchEntity"


async def test_secrets_are_not_readable_on_disk(iam, tmp_path):
    """Neither the database nor its log holds the secret of a key."""
    await make_user(iam)
    made = (await iam("CreateAccessKey", UserName="ann"))["AccessKey"]
    for file in tmp_path.iterdir():
        assert made["SecretAccessKey"].encode() not in file.read_bytes()


async def test_last_use_of_a_key(iam, people):
    """When and for what a key was used is kept."""
    await make_user(iam)
    key = (await iam("CreateAccessKey", UserName="ann"))["AccessKey"]["AccessKeyId"]
    before = await iam("GetAccessKeyLastUsed", AccessKeyId=key)
    assert before["AccessKeyLastUsed"]["ServiceName"] == "N/A"
    people.callers.note_use(key, "s3", "eu-west-1")
    after = await iam("GetAccessKeyLastUsed", AccessKeyId=key)
    assert after["UserName"] == "ann"
    assert after["AccessKeyLastUsed"]["ServiceName"] == "s3"


async def test_groups(iam):
    """Groups hold users, and go when empty."""
    made = (await iam("CreateGroup", GroupName="g", Path="/a/"))["Group"]
    await make_user(iam)
    await iam("AddUserToGroup", GroupName="g", UserName="ann")

    assert (await iam("ListGroups"))["Groups"] == [made]
    assert (await iam("ListGroupsForUser", UserName="ann"))["Groups"] == [made]
    code, _, text = await iam.refused("DeleteGroup", GroupName="g")
    assert (code, "remove users" in text) == ("DeleteConflict", True)
    await iam("UpdateGroup", GroupName="g", NewGroupName="h")
    assert [u["UserName"] for u in (await iam("GetGroup", GroupName="h"))["Users"]] == ["ann"]
    await iam("RemoveUserFromGroup", GroupName="h", UserName="ann")
    await iam("DeleteGroup", GroupName="h")
    code, _, _ = await iam.refused("GetGroup", GroupName="h")
    assert code == "NoSuchEntity"


async def test_who_has_a_policy(iam):
    """A policy tells users, groups and roles apart, attached or bounded."""
    await make_user(iam, PermissionsBoundary=BASIC)
    await iam("CreateGroup", GroupName="g")
    await iam("CreateRole", RoleName="r", AssumeRolePolicyDocument=TRUST)
    await iam("AttachGroupPolicy", GroupName="g", PolicyArn=BASIC)
    await iam("AttachRolePolicy", RoleName="r", PolicyArn=BASIC)

    found = await iam("ListEntitiesForPolicy", PolicyArn=BASIC)

    assert [each["UserName"] for each in found["PolicyUsers"]] == ["ann"]
    assert [each["GroupName"] for each in found["PolicyGroups"]] == ["g"]
    assert [each["RoleName"] for each in found["PolicyRoles"]] == ["r"]
    attached = await iam(
        "ListEntitiesForPolicy", PolicyArn=BASIC, PolicyUsageFilter="PermissionsPolicy"
    )
    assert attached["PolicyUsers"] == []
    await iam("DeleteUserPermissionsBoundary", UserName="ann")
    code, _, _ = await iam.refused("DeleteUserPermissionsBoundary", UserName="ann")
    assert code == "NoSuchEntity"


async def test_instance_profiles(iam):
    """A profile holds one role, which stays as long as it is held."""
    await iam("CreateRole", RoleName="r", AssumeRolePolicyDocument=TRUST)
    made = (await iam("CreateInstanceProfile", InstanceProfileName="p"))["InstanceProfile"]
    assert made["Roles"] == []
    await iam("AddRoleToInstanceProfile", InstanceProfileName="p", RoleName="r")
    code, _, _ = await iam.refused(
        "AddRoleToInstanceProfile", InstanceProfileName="p", RoleName="r"
    )
    assert code == "LimitExceeded"
    found = (await iam("ListInstanceProfilesForRole", RoleName="r"))["InstanceProfiles"]
    assert [role["RoleName"] for role in found[0]["Roles"]] == ["r"]
    assert (await iam("ListInstanceProfiles"))["InstanceProfiles"] == found
    for operation, name in (("DeleteRole", "RoleName"), ("DeleteInstanceProfile", None)):
        which = {name: "r"} if name else {"InstanceProfileName": "p"}
        code, _, _ = await iam.refused(operation, **which)
        assert code == "DeleteConflict"
    await iam("RemoveRoleFromInstanceProfile", InstanceProfileName="p", RoleName="r")
    await iam("DeleteInstanceProfile", InstanceProfileName="p")
    code, _, _ = await iam.refused("GetInstanceProfile", InstanceProfileName="p")
    assert code == "NoSuchEntity"


async def test_issuers(iam):
    """An issuer is known by its URL; https, or this machine."""
    made = await iam(
        "CreateOpenIDConnectProvider",
        Url="https://id.example.com/x",
        ClientIDList=["a"],
        ThumbprintList=["AB" * 20],
    )
    which = {"OpenIDConnectProviderArn": made["OpenIDConnectProviderArn"]}
    assert which["OpenIDConnectProviderArn"].endswith(":oidc-provider/id.example.com/x")
    await iam("AddClientIDToOpenIDConnectProvider", **which, ClientID="b")
    await iam("RemoveClientIDFromOpenIDConnectProvider", **which, ClientID="a")
    found = await iam("GetOpenIDConnectProvider", **which)
    assert (found["ClientIDList"], found["ThumbprintList"]) == (["b"], ["ab" * 20])
    listed = await iam("ListOpenIDConnectProviders")
    assert listed["OpenIDConnectProviderList"] == [{"Arn": which["OpenIDConnectProviderArn"]}]
    await iam("DeleteOpenIDConnectProvider", **which)
    code, _, _ = await iam.refused("GetOpenIDConnectProvider", **which)
    assert code == "NoSuchEntity"
    for url in ("http://id.example.com", "ftp://x", "https://"):
        code, _, _ = await iam.refused("CreateOpenIDConnectProvider", Url=url)
        assert code == "InvalidInput"


async def test_account(iam):
    """Alias, summary and all that decides rights."""
    await make_user(iam)
    await iam("CreateGroup", GroupName="g")
    await iam("AddUserToGroup", GroupName="g", UserName="ann")
    await iam("CreateRole", RoleName="r", AssumeRolePolicyDocument=TRUST)
    await iam("PutRolePolicy", RoleName="r", PolicyName="p", PolicyDocument=ALLOW)
    await iam("AttachRolePolicy", RoleName="r", PolicyArn=BASIC)
    await iam("CreateAccountAlias", AccountAlias="works")

    assert (await iam("ListAccountAliases"))["AccountAliases"] == ["works"]
    other = iam.as_(account="999999999999")
    assert (await other.refused("CreateAccountAlias", AccountAlias="works"))[0] == (
        "EntityAlreadyExists"
    )
    summary = (await iam("GetAccountSummary"))["SummaryMap"]
    assert (summary["Users"], summary["Groups"], summary["Roles"]) == (1, 1, 1)
    details = await iam("GetAccountAuthorizationDetails")
    assert details["UserDetailList"][0]["GroupList"] == ["g"]
    role = details["RoleDetailList"][0]
    assert [policy["PolicyName"] for policy in role["RolePolicyList"]] == ["p"]
    assert [policy["Arn"] for policy in details["Policies"]] == [BASIC]
    only = await iam("GetAccountAuthorizationDetails", Filter=["Group"])
    assert (only["UserDetailList"], len(only["GroupDetailList"])) == ([], 1)


async def test_service_linked_roles(iam):
    """They are made for a service, which alone may assume them."""
    made = await iam("CreateServiceLinkedRole", AWSServiceName="autoscaling.amazonaws.com")
    name = made["Role"]["RoleName"]
    assert name == "AWSServiceRoleForAutoscaling"
    task = (await iam("DeleteServiceLinkedRole", RoleName=name))["DeletionTaskId"]
    done = await iam("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=task)
    assert done["Status"] == "SUCCEEDED"


def statement(effect, action, resource="*", **more):
    document = {"Effect": effect, "Action": action, "Resource": resource} | more
    return json.dumps({"Version": "2012-10-17", "Statement": document})


async def test_simulating_a_principal(iam):
    """The simulator decides as requests are decided, with groups and boundary."""
    user = await make_user(iam, PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess")
    await iam("CreateGroup", GroupName="g")
    await iam("AddUserToGroup", GroupName="g", UserName="ann")
    await iam(
        "PutGroupPolicy",
        GroupName="g",
        PolicyName="p",
        PolicyDocument=statement("Allow", "s3:Get*", "arn:aws:s3:::box/*"),
    )
    found = await iam(
        "SimulatePrincipalPolicy",
        PolicySourceArn=user["Arn"],
        ActionNames=["s3:GetObject", "s3:PutObject"],
        ResourceArns=["arn:aws:s3:::box/a", "arn:aws:s3:::other/a"],
        PolicyInputList=[statement("Deny", "s3:PutObject", "arn:aws:s3:::box/*")],
    )
    decisions = [each["EvalDecision"] for each in found["EvaluationResults"]]
    assert decisions == ["allowed", "implicitDeny", "explicitDeny", "implicitDeny"]
    first = found["EvaluationResults"][0]
    assert first["MatchedStatements"][0]["SourcePolicyId"] == "p"
    assert first["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": True}


async def test_simulating_policies(iam):
    """Policies of nobody are decided with the context given; missing keys are named."""
    reading = statement("Allow", "s3:*", Condition={"StringEquals": {"aws:username": "ann"}})
    wanted = {"PolicyInputList": [reading], "ActionNames": ["s3:GetObject"]}
    without = (await iam("SimulateCustomPolicy", **wanted))["EvaluationResults"][0]
    assert without["EvalDecision"] == "implicitDeny"
    assert without["MissingContextValues"] == ["aws:username"]
    entry = {
        "ContextKeyName": "aws:username",
        "ContextKeyValues": ["ann"],
        "ContextKeyType": "string",
    }
    given = await iam("SimulateCustomPolicy", **wanted, ContextEntries=[entry])
    assert given["EvaluationResults"][0]["EvalDecision"] == "allowed"
    keys = await iam("GetContextKeysForCustomPolicy", PolicyInputList=[reading])
    assert keys == {"ContextKeyNames": ["aws:username"]}
    code, _, _ = await iam.refused(
        "SimulateCustomPolicy", PolicyInputList=["{}"], ActionNames=["s3:GetObject"]
    )
    assert code == "MalformedPolicyDocument"
