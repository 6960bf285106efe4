"""IAM: roles and policies as its clients see them."""

import json
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from emberbox.services.iam import policies as policies_module
from emberbox.storage import identities as identities_module

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
ALLOW = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
    }
)
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
OWN = "arn:aws:iam::123456789012:policy/p"


@pytest.fixture
def identities(people):
    return people.store


@pytest.fixture
def iam(people, caller):
    return caller(people.iam)


async def make_role(iam, name="r", **more):
    return (await iam("CreateRole", RoleName=name, AssumeRolePolicyDocument=TRUST, **more))["Role"]


async def make_policy(iam, name="p", **more):
    answer = await iam("CreatePolicy", PolicyName=name, PolicyDocument=ALLOW, **more)
    return answer["Policy"]


async def everything(iam, operation, member, **params):
    """All pages of a list."""
    found = []
    while True:
        answer = await iam(operation, **params)
        found += answer[member]
        assert answer["IsTruncated"] == ("Marker" in answer)
        if not answer["IsTruncated"]:
            return found
        params["Marker"] = answer["Marker"]


async def test_a_new_role_is_shown_in_brief(iam):
    """The answer to CreateRole has neither session length nor last use."""
    role = await make_role(iam, Path="/a/", MaxSessionDuration=7200)

    assert role.pop("RoleId").startswith("AROA")
    assert unquote(role.pop("AssumeRolePolicyDocument")) == TRUST
    assert role == {
        "Path": "/a/",
        "RoleName": "r",
        "Arn": "arn:aws:iam::123456789012:role/a/r",
        "CreateDate": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
    }


async def test_documents_are_percent_encoded(iam):
    """By RFC 3986: no character but the unreserved stands for itself."""
    role = await make_role(iam)

    assert role["AssumeRolePolicyDocument"].startswith("%7B%22Version%22%3A%20%222012-10-17%22")


async def test_get_role_shows_all(iam):
    """Description, boundary and tags appear when they were given."""
    await make_role(
        iam,
        Description="d",
        MaxSessionDuration=7200,
        PermissionsBoundary=BASIC,
        Tags=[{"Key": "a", "Value": "b"}],
    )

    role = (await iam("GetRole", RoleName="r"))["Role"]

    assert role["Description"] == "d"
    assert role["MaxSessionDuration"] == 7200
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == BASIC
    assert role["Tags"] == [{"Key": "a", "Value": "b"}]
    assert role["RoleLastUsed"] == {}


async def test_what_was_not_given_is_absent(iam):
    """Neither an empty description nor empty tags are shown."""
    await make_role(iam)

    role = (await iam("GetRole", RoleName="r"))["Role"]

    assert not {"Description", "Tags", "PermissionsBoundary"} & role.keys()


async def test_role_names_are_taken_in_any_case(iam):
    """A second role differing only in case is refused; another account may have it."""
    await make_role(iam, "Role")

    refused = await iam.refused("CreateRole", RoleName="ROLE", AssumeRolePolicyDocument=TRUST)

    assert refused == ("EntityAlreadyExists", 409, "Role with name ROLE already exists.")
    await make_role(iam.as_(account="999999999999"), "ROLE")


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("GetRole", {}),
        ("UpdateRole", {}),
        ("UpdateRoleDescription", {"Description": "d"}),
        ("UpdateAssumeRolePolicy", {"PolicyDocument": TRUST}),
        ("DeleteRole", {}),
        ("TagRole", {"Tags": []}),
        ("UntagRole", {"TagKeys": []}),
        ("ListRoleTags", {}),
        ("ListInstanceProfilesForRole", {}),
        ("PutRolePermissionsBoundary", {"PermissionsBoundary": BASIC}),
        ("DeleteRolePermissionsBoundary", {}),
        ("AttachRolePolicy", {"PolicyArn": BASIC}),
        ("DetachRolePolicy", {"PolicyArn": BASIC}),
        ("ListAttachedRolePolicies", {}),
        ("PutRolePolicy", {"PolicyName": "p", "PolicyDocument": ALLOW}),
        ("GetRolePolicy", {"PolicyName": "p"}),
        ("ListRolePolicies", {}),
        ("DeleteRolePolicy", {"PolicyName": "p"}),
    ],
)
async def test_a_missing_role_is_named(iam, operation, more):
    """Every operation on a role that is not there says so in the same words."""
    refused = await iam.refused(operation, RoleName="gone", **more)

    assert refused == ("NoSuchEntity", 404, "The role with name gone cannot be found.")


async def test_updates_change_what_they_are_given(iam):
    """UpdateRole keeps the description if none is given and resets the session length."""
    await make_role(iam, Description="old", MaxSessionDuration=7200)

    await iam("UpdateRole", RoleName="r")
    role = (await iam("GetRole", RoleName="r"))["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("old", 3600)

    answer = await iam("UpdateRoleDescription", RoleName="r", Description="new")
    assert answer["Role"]["Description"] == "new"
    other = TRUST.replace("lambda", "edgelambda")
    await iam("UpdateAssumeRolePolicy", RoleName="r", PolicyDocument=other)
    role = (await iam("GetRole", RoleName="r"))["Role"]
    assert unquote(role["AssumeRolePolicyDocument"]) == other


async def test_roles_are_listed_in_pages_that_survive_deletion(iam):
    """The next page begins behind the last name seen, whether it is still there or not."""
    for name in "abcd":
        await make_role(iam, name, Path="/x/" if name != "d" else "/y/")
    first = await iam("ListRoles", MaxItems=2)
    await iam("DeleteRole", RoleName="b")

    second = await iam("ListRoles", MaxItems=2, Marker=first["Marker"])

    assert [r["RoleName"] for r in first["Roles"] + second["Roles"]] == ["a", "b", "c", "d"]
    assert not second["IsTruncated"]
    under = await iam("ListRoles", PathPrefix="/y/")
    assert [r["RoleName"] for r in under["Roles"]] == ["d"]


@pytest.mark.parametrize("marker", ["%%%", "\xff", "a"])
async def test_a_foreign_marker_is_refused(iam, marker):
    """It does not come from us."""
    code, status, _ = await iam.refused("ListRoles", Marker=marker)

    assert (code, status) == ("ValidationError", 400)


async def test_a_role_with_policies_stays(iam):
    """Attached policies are named before inline ones."""
    await make_role(iam)
    await iam("PutRolePolicy", RoleName="r", PolicyName="i", PolicyDocument=ALLOW)
    await iam("AttachRolePolicy", RoleName="r", PolicyArn=BASIC)

    assert await iam.refused("DeleteRole", RoleName="r") == (
        "DeleteConflict",
        409,
        "Cannot delete entity, must detach all policies first.",
    )
    await iam("DetachRolePolicy", RoleName="r", PolicyArn=BASIC)
    assert await iam.refused("DeleteRole", RoleName="r") == (
        "DeleteConflict",
        409,
        "Cannot delete entity, must delete policies first.",
    )
    await iam("DeleteRolePolicy", RoleName="r", PolicyName="i")
    await iam("DeleteRole", RoleName="r")
    assert (await iam("ListRoles"))["Roles"] == []


async def test_tags_ignore_case(iam):
    """A tag that differs in case only replaces; one request may not have both."""
    await make_role(iam, Tags=[{"Key": "Team", "Value": "1"}, {"Key": "b", "Value": "2"}])

    await iam("TagRole", RoleName="r", Tags=[{"Key": "team", "Value": "3"}])
    await iam("UntagRole", RoleName="r", TagKeys=["B", "none"])

    tags = await everything(iam, "ListRoleTags", "Tags", RoleName="r", MaxItems=1)
    assert tags == [{"Key": "team", "Value": "3"}]
    both = [{"Key": "a", "Value": ""}, {"Key": "A", "Value": ""}]
    code, status, _ = await iam.refused("TagRole", RoleName="r", Tags=both)
    assert (code, status) == ("InvalidInput", 400)


async def test_tags_are_bounded(iam):
    """Fifty are enough."""
    await make_role(iam, Tags=[{"Key": f"k{i}", "Value": ""} for i in range(50)])

    code, status, _ = await iam.refused(
        "TagRole", RoleName="r", Tags=[{"Key": "more", "Value": ""}]
    )

    assert (code, status) == ("LimitExceeded", 409)


async def test_no_role_has_an_instance_profile(iam):
    """The list is empty because there are no instances."""
    await make_role(iam)

    answer = await iam("ListInstanceProfilesForRole", RoleName="r")

    assert answer == {"InstanceProfiles": [], "IsTruncated": False}


async def test_policies_of_aws_can_be_attached_and_read(iam):
    """They are counted per account."""
    await make_role(iam)
    await iam("AttachRolePolicy", RoleName="r", PolicyArn=BASIC)
    await iam("AttachRolePolicy", RoleName="r", PolicyArn=BASIC)

    attached = await iam("ListAttachedRolePolicies", RoleName="r")
    assert attached["AttachedPolicies"] == [
        {"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": BASIC}
    ]
    assert (await iam("GetPolicy", PolicyArn=BASIC))["Policy"]["AttachmentCount"] == 1
    other = iam.as_(account="999999999999")
    assert (await other("GetPolicy", PolicyArn=BASIC))["Policy"]["AttachmentCount"] == 0
    version = await iam("GetPolicyVersion", PolicyArn=BASIC, VersionId="v1")
    document = json.loads(unquote(version["PolicyVersion"]["Document"]))
    assert "logs:PutLogEvents" in document["Statement"][0]["Action"]
    entities = await iam("ListEntitiesForPolicy", PolicyArn=BASIC)
    assert [r["RoleName"] for r in entities["PolicyRoles"]] == ["r"]
    assert len((await iam("ListPolicyVersions", PolicyArn=BASIC))["Versions"]) == 1
    assert (await iam("ListPolicyTags", PolicyArn=BASIC))["Tags"] == []


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("DeletePolicy", {}),
        ("CreatePolicyVersion", {"PolicyDocument": ALLOW}),
        ("SetDefaultPolicyVersion", {"VersionId": "v1"}),
        ("DeletePolicyVersion", {"VersionId": "v1"}),
        ("TagPolicy", {"Tags": []}),
        ("UntagPolicy", {"TagKeys": []}),
    ],
)
async def test_policies_of_aws_cannot_be_changed(iam, operation, more):
    """They are outside the account."""
    refused = await iam.refused(operation, PolicyArn=BASIC, **more)

    assert refused == ("AccessDenied", 403, "Policy is outside your own account.")


@pytest.mark.parametrize("arn", [OWN, "arn:aws:iam::aws:policy/NoSuchPolicy"])
async def test_only_what_exists_can_be_attached(iam, arn):
    """Neither an own nor an AWS policy that is not there."""
    await make_role(iam)
    text = f"Policy {arn} does not exist or is not attachable."

    refused = await iam.refused("AttachRolePolicy", RoleName="r", PolicyArn=arn)
    assert refused == ("NoSuchEntity", 404, text)
    refused = await iam.refused("PutRolePermissionsBoundary", RoleName="r", PermissionsBoundary=arn)
    assert refused == ("NoSuchEntity", 404, text)
    refused = await iam.refused("DetachRolePolicy", RoleName="r", PolicyArn=arn)
    assert refused == ("NoSuchEntity", 404, f"Policy {arn} was not found.")
    refused = await iam.refused("GetPolicy", PolicyArn=arn)
    assert refused == ("NoSuchEntity", 404, f"Policy {arn} was not found.")


async def test_what_is_no_arn_is_invalid(iam):
    """The text is repeated."""
    await make_role(iam)

    refused = await iam.refused(
        "AttachRolePolicy", RoleName="r", PolicyArn="arn:aws:iam::123456789012:role/r"
    )

    assert refused == ("InvalidInput", 400, "ARN arn:aws:iam::123456789012:role/r is not valid.")


async def test_a_role_has_ten_policies_at_most(iam):
    """The eleventh is refused and not attached."""
    await make_role(iam)
    for number in range(11):
        await make_policy(iam, f"p{number}")
    arns = [f"{OWN}{number}" for number in range(11)]
    for arn in arns[:10]:
        await iam("AttachRolePolicy", RoleName="r", PolicyArn=arn)

    refused = await iam.refused("AttachRolePolicy", RoleName="r", PolicyArn=arns[10])

    assert refused == ("LimitExceeded", 409, "Cannot exceed quota for PoliciesPerRole: 10")
    listed = await everything(
        iam, "ListAttachedRolePolicies", "AttachedPolicies", RoleName="r", MaxItems=3
    )
    assert [item["PolicyArn"] for item in listed] == arns[:10]
    under = await iam("ListAttachedRolePolicies", RoleName="r", PathPrefix="/none/")
    assert under["AttachedPolicies"] == []


async def test_inline_policies_are_kept_by_name(iam):
    """Putting one again replaces it; a missing one is named."""
    await make_role(iam)
    for name in ("b", "a", "b"):
        await iam("PutRolePolicy", RoleName="r", PolicyName=name, PolicyDocument=ALLOW)

    names = await everything(iam, "ListRolePolicies", "PolicyNames", RoleName="r", MaxItems=1)
    shown = await iam("GetRolePolicy", RoleName="r", PolicyName="a")

    assert names == ["a", "b"]
    assert unquote(shown["PolicyDocument"]) == ALLOW
    await iam("DeleteRolePolicy", RoleName="r", PolicyName="a")
    for operation in ("GetRolePolicy", "DeleteRolePolicy"):
        refused = await iam.refused(operation, RoleName="r", PolicyName="a")
        text = "The role policy with name a cannot be found."
        assert refused == ("NoSuchEntity", 404, text)


async def test_inline_policies_are_bounded_together(iam):
    """White space does not count, everything else does."""
    await make_role(iam)
    half = ALLOW.replace("s3:*", "s3:" + "x" * 5_000)
    await iam("PutRolePolicy", RoleName="r", PolicyName="a", PolicyDocument=half + " " * 9_000)
    await iam("PutRolePolicy", RoleName="r", PolicyName="b", PolicyDocument=half)

    refused = await iam.refused("PutRolePolicy", RoleName="r", PolicyName="c", PolicyDocument=half)

    text = "Maximum policy size of 10240 bytes exceeded for role r"
    assert refused == ("LimitExceeded", 409, text)
    assert (await iam("ListRolePolicies", RoleName="r"))["PolicyNames"] == ["a", "b"]


@pytest.mark.parametrize(
    ("operation", "params", "text"),
    [
        ("CreateRole", {"RoleName": "n", "AssumeRolePolicyDocument": ALLOW},
         "Missing required field Principal"),
        ("UpdateAssumeRolePolicy", {"RoleName": "r", "PolicyDocument": "{"},
         "This policy contains invalid Json"),
        ("PutRolePolicy", {"RoleName": "r", "PolicyName": "p", "PolicyDocument": TRUST},
         "Policy document should not specify a principal."),
        ("CreatePolicy", {"PolicyName": "n", "PolicyDocument": "[]"}, "Syntax errors in policy."),
        ("CreatePolicyVersion", {"PolicyArn": OWN, "PolicyDocument": "x"},
         "Syntax errors in policy."),
    ],
)  # fmt: skip
async def test_documents_are_checked(iam, operation, params, text):
    """Each kind of document by its own rules."""
    await make_role(iam)
    await make_policy(iam)

    refused = await iam.refused(operation, **params)

    assert refused == ("MalformedPolicyDocument", 400, text)


async def test_documents_are_bounded(iam):
    """A trust policy and a managed policy have a quota each."""
    await make_policy(iam)
    trust = TRUST.replace("sts:AssumeRole", "sts:AssumeRole" + "x" * 2_048)
    refused = await iam.refused("CreateRole", RoleName="n", AssumeRolePolicyDocument=trust)
    assert refused == ("LimitExceeded", 409, "Cannot exceed quota for ACLSizePerRole: 2048")

    large = ALLOW.replace("s3:*", "s3:" + "x" * policies_module.DOCUMENT_MAX_BYTES)
    refused = await iam.refused("CreatePolicy", PolicyName="n", PolicyDocument=large)
    assert refused == ("LimitExceeded", 409, "Cannot exceed quota for PolicySize: 6144")


async def test_an_account_has_so_many_roles(iam, monkeypatch):
    """The quota is per account."""
    monkeypatch.setattr(identities_module, "ROLES_MAX", 1)
    await make_role(iam)

    code, status, _ = await iam.refused("CreateRole", RoleName="n", AssumeRolePolicyDocument=TRUST)

    assert (code, status) == ("LimitExceeded", 409)


async def test_a_policy_is_shown(iam):
    """Create, get and list agree; the description is shown by get alone."""
    made = await make_policy(iam, Path="/x/", Description="d", Tags=[{"Key": "a", "Value": "b"}])

    got = (await iam("GetPolicy", PolicyArn="arn:aws:iam::123456789012:policy/x/p"))["Policy"]
    listed = (await iam("ListPolicies", Scope="Local"))["Policies"]

    assert got.pop("Description") == "d"
    assert got == made
    assert got.pop("Tags") == [{"Key": "a", "Value": "b"}]
    assert listed == [got]
    assert got["PolicyId"].startswith("ANPA")
    assert (got["DefaultVersionId"], got["AttachmentCount"], got["IsAttachable"]) == ("v1", 0, True)


async def test_policies_are_listed_by_scope_and_use(iam):
    """Own ones come before those of AWS; filters choose by path and use."""
    await make_role(iam, PermissionsBoundary=BASIC)
    await make_policy(iam, "used")
    await make_policy(iam, "unused")
    await iam("AttachRolePolicy", RoleName="r", PolicyArn=OWN.replace("/p", "/used"))

    async def names(**params):
        found = await everything(iam, "ListPolicies", "Policies", MaxItems=5, **params)
        return [policy["PolicyName"] for policy in found]

    everyone = await names()
    assert everyone[:2] == ["unused", "used"]
    assert "AdministratorAccess" in everyone
    assert len(everyone) == len(set(everyone)) == 2 + len(await names(Scope="AWS"))
    assert await names(Scope="Local") == ["unused", "used"]
    assert await names(OnlyAttached=True) == ["used"]
    assert await names(PolicyUsageFilter="PermissionsBoundary") == ["AWSLambdaBasicExecutionRole"]
    assert await names(PolicyUsageFilter="PermissionsPolicy") == ["used"]
    assert "AWSLambdaRole" in await names(PathPrefix="/service-role/")


async def test_policy_names_are_taken_in_any_case(iam):
    """As with roles, in IAM's words for policies."""
    await make_policy(iam, "P")

    refused = await iam.refused("CreatePolicy", PolicyName="p", PolicyDocument=ALLOW)

    text = "A policy called p already exists. Duplicate names are not allowed."
    assert refused == ("EntityAlreadyExists", 409, text)


async def test_a_used_policy_stays(iam):
    """Attached or as a boundary."""
    await make_policy(iam)
    await make_role(iam, PermissionsBoundary=OWN)
    text = "Cannot delete a policy attached to entities."

    assert await iam.refused("DeletePolicy", PolicyArn=OWN) == ("DeleteConflict", 409, text)
    await iam("AttachRolePolicy", RoleName="r", PolicyArn=OWN)
    await iam("DeleteRolePermissionsBoundary", RoleName="r")
    assert await iam.refused("DeletePolicy", PolicyArn=OWN) == ("DeleteConflict", 409, text)
    await iam("DetachRolePolicy", RoleName="r", PolicyArn=OWN)
    await iam("DeletePolicy", PolicyArn=OWN)

    refused = await iam.refused("GetPolicy", PolicyArn=OWN)
    assert refused == ("NoSuchEntity", 404, f"Policy {OWN} was not found.")


async def test_entities_are_filtered(iam):
    """By kind, path and use."""
    await make_policy(iam)
    await make_role(iam, "attached", Path="/x/")
    await make_role(iam, "bounded", PermissionsBoundary=OWN)
    await iam("AttachRolePolicy", RoleName="attached", PolicyArn=OWN)

    async def names(**params):
        answer = await iam("ListEntitiesForPolicy", PolicyArn=OWN, **params)
        return [role["RoleName"] for role in answer["PolicyRoles"]]

    assert await names() == ["attached", "bounded"]
    assert await names(EntityFilter="User") == []
    assert await names(PathPrefix="/x/") == ["attached"]
    assert await names(PolicyUsageFilter="PermissionsBoundary") == ["bounded"]
    assert await names(PolicyUsageFilter="PermissionsPolicy") == ["attached"]
    code, status, _ = await iam.refused("ListEntitiesForPolicy", PolicyArn=OWN + "x")
    assert (code, status) == ("NoSuchEntity", 404)


async def test_versions_have_numbers_that_are_used_once(iam):
    """Five at most; the default cannot go; a policy with several stays."""
    await make_policy(iam)
    for number in range(2, 6):
        answer = await iam(
            "CreatePolicyVersion", PolicyArn=OWN, PolicyDocument=ALLOW, SetAsDefault=number == 3
        )
        assert answer["PolicyVersion"]["VersionId"] == f"v{number}"

    code, status, _ = await iam.refused("CreatePolicyVersion", PolicyArn=OWN, PolicyDocument=ALLOW)
    assert (code, status) == ("LimitExceeded", 409)
    assert await iam.refused("DeletePolicyVersion", PolicyArn=OWN, VersionId="v3") == (
        "DeleteConflict",
        409,
        "Cannot delete the default version of a policy.",
    )
    await iam("SetDefaultPolicyVersion", PolicyArn=OWN, VersionId="v2")
    await iam("DeletePolicyVersion", PolicyArn=OWN, VersionId="v5")
    answer = await iam("CreatePolicyVersion", PolicyArn=OWN, PolicyDocument=ALLOW)
    assert answer["PolicyVersion"]["VersionId"] == "v6"

    versions = await everything(iam, "ListPolicyVersions", "Versions", PolicyArn=OWN, MaxItems=2)
    shown = [(v["VersionId"], v["IsDefaultVersion"]) for v in versions]
    assert shown == [("v6", False), ("v4", False), ("v3", False), ("v2", True), ("v1", False)]
    code, status, text = await iam.refused("DeletePolicy", PolicyArn=OWN)
    assert (code, status) == ("DeleteConflict", 409)
    assert text.startswith("This policy has more than one version.")


@pytest.mark.parametrize("version", ["v7", "v1.x", "v9999999999999999999"])
@pytest.mark.parametrize("arn", [OWN, BASIC])
async def test_a_missing_version_is_named(iam, arn, version):
    """Both of own policies and of those of AWS."""
    await make_policy(iam)

    refused = await iam.refused("GetPolicyVersion", PolicyArn=arn, VersionId=version)

    text = f"Policy {arn} version {version} does not exist or is not attachable."
    assert refused == ("NoSuchEntity", 404, text)


async def test_policy_tags(iam):
    """As with roles."""
    await make_policy(iam)
    await iam("TagPolicy", PolicyArn=OWN, Tags=[{"Key": "a", "Value": "1"}])
    await iam("TagPolicy", PolicyArn=OWN, Tags=[{"Key": "A", "Value": "2"}])

    assert (await iam("ListPolicyTags", PolicyArn=OWN))["Tags"] == [{"Key": "A", "Value": "2"}]
    await iam("UntagPolicy", PolicyArn=OWN, TagKeys=["a"])
    assert (await iam("ListPolicyTags", PolicyArn=OWN))["Tags"] == []


async def test_functions_find_roles_by_arn(iam, identities):
    """With its path and in its own account only; the trust policy comes parsed."""
    await make_role(iam, "r", Path="/service-role/")
    arn = "arn:aws:iam::123456789012:role/service-role/r"

    role = await identities.role("123456789012", arn)

    assert role is not None
    assert (role.name, role.arn) == ("r", arn)
    assert role.assume_role_policy == json.loads(TRUST)
    assert await identities.role("123456789012", arn.replace("/service-role", "")) is None
    assert await identities.role("999999999999", arn) is None
