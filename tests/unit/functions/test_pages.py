"""Every list of the Lambda API by pages of one, while what was shown is deleted."""

import pytest

PROFILES = {"SigningProfileVersionArns": ["arn:aws:signer:us-east-1:123456789012:/x/p/1"]}
PROVIDER = {
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
    "PermissionsConfig": {
        "CapacityProviderOperatorRoleArn": "arn:aws:iam::123456789012:role/operator"
    },
}
KAFKA = "arn:aws:kafka:us-east-1:123456789012:cluster/c{}/abc-1"
QUALIFIERS = ("a", "b", "c")


async def functions(api):
    """Three functions."""
    for name in "abc":
        await api.created(name)
    return {}, lambda shown: api("DeleteFunction", FunctionName=shown["FunctionName"])


async def all_versions(api):
    """The same, as versions of all functions."""
    _, remove = await functions(api)
    return {"FunctionVersion": "ALL"}, remove


async def versions(api):
    """`$LATEST`, which stays, and two versions."""
    await api.created()
    for number in range(2):
        await api("UpdateFunctionConfiguration", FunctionName="f", Description=str(number))
        await api("PublishVersion", FunctionName="f")

    async def remove(shown):
        if shown["Version"] != "$LATEST":
            await api("DeleteFunction", FunctionName="f", Qualifier=shown["Version"])

    return {"FunctionName": "f"}, remove


async def aliases(api):
    """Three aliases."""
    await api.created(Publish=True)
    for name in QUALIFIERS:
        await api("CreateAlias", FunctionName="f", Name=name, FunctionVersion="1")
    return {"FunctionName": "f"}, lambda shown: api(
        "DeleteAlias", FunctionName="f", Name=shown["Name"]
    )


def on_aliases(make, delete, **params):
    """What hangs on three aliases."""

    async def begin(api):
        await aliases(api)
        for name in QUALIFIERS:
            await api(make, FunctionName="f", Qualifier=name, **params)
        return {"FunctionName": "f"}, lambda shown: api(
            delete, FunctionName="f", Qualifier=shown["FunctionArn"].rpartition(":")[2]
        )

    return begin


async def layers(api):
    """Three layers."""
    for name in "abc":
        content = {"ZipFile": api.zipped("pass")}
        await api("PublishLayerVersion", LayerName=name, Content=content)
    return {}, lambda shown: api(
        "DeleteLayerVersion", LayerName=shown["LayerName"], VersionNumber=1
    )


async def layer_versions(api):
    """Three versions of one."""
    for _ in range(3):
        content = {"ZipFile": api.zipped("pass")}
        await api("PublishLayerVersion", LayerName="l", Content=content)
    return {"LayerName": "l"}, lambda shown: api(
        "DeleteLayerVersion", LayerName="l", VersionNumber=shown["Version"]
    )


async def mappings(api):
    """Three mappings."""
    await api.created()
    for number in range(3):
        await api(
            "CreateEventSourceMapping",
            FunctionName="f",
            EventSourceArn=KAFKA.format(number),
            Topics=["orders"],
            StartingPosition="LATEST",
        )
    await api.service.close()

    async def remove(shown):
        await api("DeleteEventSourceMapping", UUID=shown["UUID"])
        await api.service.close()

    return {"FunctionName": "f"}, remove


async def signing(api):
    """Three code signing configurations."""
    for _ in range(3):
        await api("CreateCodeSigningConfig", AllowedPublishers=PROFILES)
    return {}, lambda shown: api(
        "DeleteCodeSigningConfig", CodeSigningConfigArn=shown["CodeSigningConfigArn"]
    )


async def signed(api):
    """Three functions with one of them."""
    made = await api("CreateCodeSigningConfig", AllowedPublishers=PROFILES)
    arn = {"CodeSigningConfigArn": made["CodeSigningConfig"]["CodeSigningConfigArn"]}
    for name in "abc":
        await api.created(name, **arn)
    return arn, lambda shown: api("DeleteFunctionCodeSigningConfig", FunctionName=shown)


async def providers(api):
    """Three capacity providers."""
    for name in "abc":
        await api("CreateCapacityProvider", CapacityProviderName=name, **PROVIDER)
    return {}, lambda shown: api(
        "DeleteCapacityProvider", CapacityProviderName=shown["CapacityProviderArn"]
    )


async def managed(api):
    """Three functions with one of them."""
    made = await api("CreateCapacityProvider", CapacityProviderName="cp", **PROVIDER)
    arn = made["CapacityProvider"]["CapacityProviderArn"]
    config = {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": arn}}
    for name in "abc":
        await api.created(name, CapacityProviderConfig=config)
    return {"CapacityProviderName": "cp"}, lambda shown: api(
        "DeleteFunction", FunctionName=shown["FunctionArn"].split(":")[6]
    )


LISTS = [
    ("ListFunctions", "Functions", functions),
    ("ListFunctions", "Functions", all_versions),
    ("ListVersionsByFunction", "Versions", versions),
    ("ListAliases", "Aliases", aliases),
    (
        "ListProvisionedConcurrencyConfigs",
        "ProvisionedConcurrencyConfigs",
        on_aliases(
            "PutProvisionedConcurrencyConfig",
            "DeleteProvisionedConcurrencyConfig",
            ProvisionedConcurrentExecutions=1,
        ),
    ),
    (
        "ListFunctionEventInvokeConfigs",
        "FunctionEventInvokeConfigs",
        on_aliases(
            "PutFunctionEventInvokeConfig",
            "DeleteFunctionEventInvokeConfig",
            MaximumRetryAttempts=0,
        ),
    ),
    (
        "ListFunctionUrlConfigs",
        "FunctionUrlConfigs",
        on_aliases("CreateFunctionUrlConfig", "DeleteFunctionUrlConfig", AuthType="NONE"),
    ),
    ("ListLayers", "Layers", layers),
    ("ListLayerVersions", "LayerVersions", layer_versions),
    ("ListEventSourceMappings", "EventSourceMappings", mappings),
    ("ListCodeSigningConfigs", "CodeSigningConfigs", signing),
    ("ListFunctionsByCodeSigningConfig", "FunctionArns", signed),
    ("ListCapacityProviders", "CapacityProviders", providers),
    ("ListFunctionVersionsByCapacityProvider", "FunctionVersions", managed),
]


@pytest.mark.parametrize(("operation", "member", "begin"), LISTS)
async def test_pages_go_on_after_what_they_showed_is_gone(api, operation, member, begin):
    """All is shown, nothing twice, and the last page says that it is the last."""
    params, remove = await begin(api)
    whole = (await api(operation, **params))[member]

    shown, marker = [], {}
    for _ in whole:
        page = await api(operation, MaxItems=1, **params, **marker)
        (only,) = page[member]
        shown.append(only)
        marker = {"Marker": page.get("NextMarker")}
        await remove(only)

    assert shown == whole
    assert len(whole) == 3
    assert marker == {"Marker": None}
