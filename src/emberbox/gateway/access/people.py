"""IAM and STS. Names of users, groups and roles stand for themselves here: the guard puts their
paths into the ARNs, since it may look them up."""

from collections.abc import Iterable
from typing import Any

from emberbox.gateway.access.needs import ANY, Access, Need, Place, global_named, itself
from emberbox.model.request import Params


def _entity(kind: str) -> Any:
    def find(value: Any, place: Place, params: Params) -> str:
        path = params.get("Path", "/") if f"{kind.title()}Name" in params else "/"
        return f"arn:aws:iam::{place.account}:{kind}{path}{value}"

    return find


def _attach(operation: str, kind: str) -> Any:
    def needs(place: Place, params: Params) -> Iterable[Need]:
        arn = _entity(kind)(params[f"{kind.title()}Name"], place, {})
        yield Need(f"iam:{operation}", arn, {"iam:policyarn": (str(params["PolicyArn"]),)})

    return needs


def _bounded(operation: str, kind: str) -> Any:
    def needs(place: Place, params: Params) -> Iterable[Need]:
        arn = _entity(kind)(params[f"{kind.title()}Name"], place, params)
        boundary = params.get("PermissionsBoundary")
        context = {"iam:permissionsboundary": (str(boundary),)} if boundary else {}
        yield Need(f"iam:{operation}", arn, context)

    return needs


def _profile_role(operation: str) -> Any:
    def needs(place: Place, params: Params) -> Iterable[Need]:
        name = params["InstanceProfileName"]
        yield Need(f"iam:{operation}", f"arn:aws:iam::{place.account}:instance-profile/{name}")
        role = _entity("role")(params["RoleName"], place, {})
        yield Need("iam:PassRole", role, {"iam:passedtoservice": ("ec2.amazonaws.com",)})

    return needs


def _provider(value: Any, place: Place, _params: Params) -> str:
    return f"arn:aws:iam::{place.account}:oidc-provider/{str(value).partition('://')[2]}"


IAM = Access(
    "iam",
    {
        "InstanceProfileName": global_named("iam", "instance-profile/{}"),
        "RoleName": _entity("role"),
        "UserName": _entity("user"),
        "GroupName": _entity("group"),
        "PolicyArn": itself,
        "PolicyName": lambda value, place, params: (
            f"arn:aws:iam::{place.account}:policy{params.get('Path', '/')}{value}"
        ),
        "PolicySourceArn": itself,
        "OpenIDConnectProviderArn": itself,
        "Url": _provider,
        "AccessKeyId": lambda _value, _place, _params: ANY,
        "AWSServiceName": lambda value, place, _params: (
            f"arn:aws:iam::{place.account}:role/aws-service-role/{value}/*"
        ),
    },
    without=frozenset(
        {
            "CreateAccountAlias",
            "DeleteAccountAlias",
            "GetAccountAuthorizationDetails",
            "GetAccountSummary",
            "GetContextKeysForCustomPolicy",
            "GetServiceLinkedRoleDeletionStatus",
            "ListAccountAliases",
            "ListGroups",
            "ListInstanceProfiles",
            "ListOpenIDConnectProviders",
            "ListPolicies",
            "ListRoles",
            "ListUsers",
            "SimulateCustomPolicy",
        }
    ),
    instead={
        **{
            f"{verb}{kind.title()}Policy": _attach(f"{verb}{kind.title()}Policy", kind)
            for verb in ("Attach", "Detach")
            for kind in ("user", "group", "role")
        },
        **{
            operation: _bounded(operation, kind)
            for kind in ("user", "role")
            for operation in (
                f"Create{kind.title()}",
                f"Put{kind.title()}PermissionsBoundary",
                f"Delete{kind.title()}PermissionsBoundary",
            )
        },
        "AddRoleToInstanceProfile": _profile_role("AddRoleToInstanceProfile"),
        "RemoveRoleFromInstanceProfile": _profile_role("RemoveRoleFromInstanceProfile"),
    },
)


def _assume(_place: Place, params: Params) -> Iterable[Need]:
    role = str(params["RoleArn"])
    context: dict[str, tuple[str, ...]] = {"sts:rolesessionname": (str(params["RoleSessionName"]),)}
    if "ExternalId" in params:
        context["sts:externalid"] = (str(params["ExternalId"]),)
    if "SourceIdentity" in params:
        context["sts:sourceidentity"] = (str(params["SourceIdentity"]),)
    if params.get("TransitiveTagKeys"):
        context["sts:transitivetagkeys"] = tuple(map(str, params["TransitiveTagKeys"]))
    yield Need("sts:AssumeRole", role, context)
    if params.get("Tags"):
        yield Need("sts:TagSession", role, context)
    if "SourceIdentity" in params:
        yield Need("sts:SetSourceIdentity", role, context)


STS = Access(
    "sts",
    {},
    without=frozenset({"GetAccessKeyInfo"}),
    free=frozenset({"GetCallerIdentity", "GetSessionToken", "AssumeRoleWithWebIdentity"}),
    instead={"AssumeRole": _assume},
)
