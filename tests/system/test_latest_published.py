"""`$LATEST.PUBLISHED` of a function with a capacity provider, through stock clients."""

from material import ROLE, make_zip

CODE = """
def handler(event, context):
    return ["{}", context.function_version, context.invoked_function_arn.split(":")[7:]]
"""
PUBLISHED = "$LATEST.PUBLISHED"
VPC = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}


def test_what_was_published_last_runs_where_no_qualifier_is_named(boto):
    """Code that came later runs as $LATEST, and without it once it is published too."""
    provider = boto.call(
        "lambda",
        "CreateCapacityProvider",
        CapacityProviderName="instances",
        VpcConfig=VPC,
        PermissionsConfig={"CapacityProviderOperatorRoleArn": ROLE},
    )["CapacityProvider"]["CapacityProviderArn"]
    member = "LambdaManagedInstancesCapacityProviderConfig"
    boto.call(
        "lambda",
        "CreateFunction",
        FunctionName="republished",
        Runtime="python3.12",
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": make_zip(app=CODE.format("old"))},
        CapacityProviderConfig={member: {"CapacityProviderArn": provider}},
        PublishTo="LATEST_PUBLISHED",
    )
    boto.wait("lambda", "function_active_v2", FunctionName="republished")
    new = make_zip(app=CODE.format("new"))
    boto.call("lambda", "UpdateFunctionCode", FunctionName="republished", ZipFile=new)
    boto.wait("lambda", "function_updated_v2", FunctionName="republished")
    before = boto.invoke("republished")
    latest = boto.invoke("republished", Qualifier="$LATEST").json()
    made = boto.call(
        "lambda", "PublishVersion", FunctionName="republished", PublishTo="LATEST_PUBLISHED"
    )
    after = boto.invoke("republished").json()
    named = boto.invoke(f"republished:{PUBLISHED}").json()
    boto.call("lambda", "DeleteFunction", FunctionName="republished")
    boto.call("lambda", "DeleteCapacityProvider", CapacityProviderName="instances")

    assert before.json() == ["old", PUBLISHED, []]
    assert before.version == PUBLISHED
    assert latest == ["new", "$LATEST", ["$LATEST"]]
    assert made["FunctionArn"].endswith(f":function:republished:{PUBLISHED}")
    assert after == ["new", PUBLISHED, []]
    assert named == ["new", PUBLISHED, [PUBLISHED]]
