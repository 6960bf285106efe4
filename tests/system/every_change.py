"""Every operation of the Lambda API that changes something, in rounds that end where they began."""

import json
from dataclasses import dataclass, field

from hands import ApiError, Boto3Hands
from material import ROLE, make_zip

ACCOUNT = "123456789012"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:"
SOURCE = "def lambda_handler(event, context): return {number}"
STATEMENT = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
PUBLISHERS = {"SigningProfileVersionArns": [f"arn:aws:signer:us-east-1:{ACCOUNT}:/x/p/1"]}
TOPIC = f"arn:aws:kafka:us-east-1:{ACCOUNT}:cluster/c/abc-1"
OPERATOR = {"CapacityProviderOperatorRoleArn": f"arn:aws:iam::{ACCOUNT}:role/operator"}
PROVIDER = {
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []},
    "PermissionsConfig": OPERATOR,
}


@dataclass
class Subject:
    """One line's function and what it remembers. `called` are the operations of all lines."""

    hands: Boto3Hands
    name: str
    called: set
    memory: dict = field(default_factory=dict)

    def __call__(self, operation, **params):
        """An operation; the answer once all that it began has ended."""
        self.called.add(operation)
        answer = self.hands.call("lambda", operation, **params)
        if operation.startswith(("UpdateFunctionCo", "CreateFunction")) and "State" in answer:
            self.hands.call("lambda", "GetFunction", FunctionName=self.name)
        return answer

    def own(self, operation, **params):
        """An operation on the line's function."""
        return self(operation, FunctionName=self.name, **params)

    def read(self, operation, member, **params):
        """A member of what an operation reads; None if there is nothing to read."""
        try:
            return self.hands.call("lambda", operation, **params).get(member)
        except ApiError as error:
            if "NotFound" not in error.code:
                raise
            return None

    def made(self, **params):
        """Make the function."""
        settings = {
            "Runtime": "python3.12",
            "Role": ROLE,
            "Handler": "lambda_function.lambda_handler",
            "Code": {"ZipFile": make_zip(lambda_function=SOURCE.format(number=0))},
            **params,
        }
        return self.own("CreateFunction", **settings)

    def code(self, number):
        """Give it other code."""
        self.own(
            "UpdateFunctionCode", ZipFile=make_zip(lambda_function=SOURCE.format(number=number))
        )

    def version(self):
        """Publish what has never been published."""
        self.memory["count"] = count = self.memory.get("count", 0) + 1
        self.own("UpdateFunctionConfiguration", Description=f"{count}")
        self.memory["version"] = self.own("PublishVersion")["Version"]

    def mapping(self):
        """Make a mapping that nobody polls, and wait until it rests."""
        made = self.own(
            "CreateEventSourceMapping",
            EventSourceArn=TOPIC,
            Topics=["orders"],
            StartingPosition="LATEST",
        )
        self.memory["uuid"] = made["UUID"]
        self.rest()

    def rest(self):
        """Wait until the mapping rests or is gone."""
        self.read("GetEventSourceMapping", "State", UUID=self.memory["uuid"])


def of_mappings(s, operation, **params):
    """A change of the line's mapping."""
    s(operation, UUID=s.memory["uuid"], **params)
    s.rest()


def layer(s, operation, **params):
    """A change of the layer version that was published last."""
    return s(operation, LayerName=s.name, VersionNumber=s.memory["number"], **params)


def layers(s):
    """The policies of the versions there are."""
    versions = s.hands.call("lambda", "ListLayerVersions", LayerName=s.name)["LayerVersions"]
    numbers = [each["Version"] for each in versions]
    policies = [
        s.read("GetLayerVersionPolicy", "Policy", LayerName=s.name, VersionNumber=number)
        for number in numbers
    ]
    return [text and len(json.loads(text)["Statement"]) for text in policies]


def versions_and_aliases(s):
    """How many versions there are, and the descriptions of the aliases."""
    versions = s.hands.call("lambda", "ListVersionsByFunction", FunctionName=s.name)["Versions"]
    aliases = s.hands.call("lambda", "ListAliases", FunctionName=s.name)["Aliases"]
    return len(versions), [each["Description"] for each in aliases]


def configuration(s):
    """What an update sets together."""
    shown = s.hands.call("lambda", "GetFunctionConfiguration", FunctionName=s.name)
    members = ("Description", "Timeout", "Environment", "CodeSha256", "LastUpdateStatus")
    return [shown.get(member) for member in members]


def signing(s):
    """The configurations there are, and whether the function has one."""
    found = s.hands.call("lambda", "ListCodeSigningConfigs")["CodeSigningConfigs"]
    given = s.read("GetFunctionCodeSigningConfig", "CodeSigningConfigArn", FunctionName=s.name)
    return [each["Description"] for each in found], given is not None


def provider(s):
    """What the line's capacity provider may scale to."""
    shown = s.read("GetCapacityProvider", "CapacityProvider", CapacityProviderName=s.name)
    return shown and shown["CapacityProviderScalingConfig"]["MaxVCpuCount"]


def managed(s):
    """Make a function with a capacity provider, and a version of it."""
    made = s("CreateCapacityProvider", CapacityProviderName=s.name, **PROVIDER)
    config = {"CapacityProviderArn": made["CapacityProvider"]["CapacityProviderArn"]}
    s.made(
        CapacityProviderConfig={"LambdaManagedInstancesCapacityProviderConfig": config},
        Publish=True,
    )


def settings(s):
    """Recursion, and when the runtime changes."""
    return (
        s.read("GetFunctionRecursionConfig", "RecursiveLoop", FunctionName=s.name),
        s.read("GetRuntimeManagementConfig", "UpdateRuntimeOn", FunctionName=s.name),
    )


def policy(s):
    """The statements of the function's policy."""
    text = s.read("GetPolicy", "Policy", FunctionName=s.name)
    return text and json.loads(text)["Statement"]


def whole_policy(s):
    """Replace the policy as a whole."""
    statement = {"Effect": "Allow", "Principal": "*", "Action": "lambda:*"}
    document = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": ARN + s.name}]}
    s("PutResourcePolicy", ResourceArn=ARN + s.name, Policy=json.dumps(document))


def events(s):
    """How events are treated, but for when that was said."""
    retries = s.read("GetFunctionEventInvokeConfig", "MaximumRetryAttempts", FunctionName=s.name)
    age = s.read("GetFunctionEventInvokeConfig", "MaximumEventAgeInSeconds", FunctionName=s.name)
    return retries, age


def alias(s, operation, **params):
    """A change of the alias."""
    s.own(operation, Name="live", **params)


def signed(s, operation, **params):
    """A change of the code signing configuration."""
    s(operation, CodeSigningConfigArn=s.memory["arn"], **params)


def new_signing(s):
    """Make a code signing configuration."""
    made = s("CreateCodeSigningConfig", AllowedPublishers=PUBLISHERS, Description="a")
    s.memory["arn"] = made["CodeSigningConfig"]["CodeSigningConfigArn"]


def new_layer(s):
    """Publish a layer version."""
    content = {"ZipFile": make_zip(module="pass")}
    s.memory["number"] = s("PublishLayerVersion", LayerName=s.name, Content=content)["Version"]


def set_to(s, number):
    """Set several things at once."""
    s.own(
        "UpdateFunctionConfiguration",
        Description=f"{number}",
        Timeout=number,
        Environment={"Variables": {"NUMBER": f"{number}"}},
    )


TABLE = {
    "functions": (
        lambda s: None,
        [lambda s: s.made(Publish=True), lambda s: s.own("DeleteFunction")],
        lambda s: s.read("GetFunction", "Code", FunctionName=s.name) is not None,
    ),
    "code": (
        Subject.made,
        [lambda s: s.code(1), lambda s: s.code(2), lambda s: s.code(0)],
        configuration,
    ),
    "configuration": (
        lambda s: (s.made(), set_to(s, 9)),
        [lambda s: set_to(s, 5), lambda s: set_to(s, 6), lambda s: set_to(s, 9)],
        configuration,
    ),
    "versions": (
        Subject.made,
        [
            lambda s: s.version(),
            lambda s: alias(s, "CreateAlias", FunctionVersion=s.memory["version"]),
            lambda s: alias(s, "UpdateAlias", Description="x"),
            lambda s: alias(s, "DeleteAlias"),
            lambda s: s.own("DeleteFunction", Qualifier=s.memory["version"]),
        ],
        versions_and_aliases,
    ),
    "policies": (
        Subject.made,
        [
            lambda s: s.own("AddPermission", StatementId="one", **STATEMENT),
            lambda s: s.own("AddPermission", StatementId="two", **STATEMENT),
            lambda s: s.own("RemovePermission", StatementId="one"),
            whole_policy,
            lambda s: s("DeleteResourcePolicy", ResourceArn=ARN + s.name),
        ],
        policy,
    ),
    "tags": (
        Subject.made,
        [
            lambda s: s("TagResource", Resource=ARN + s.name, Tags={"a": "1", "b": "2"}),
            lambda s: s("UntagResource", Resource=ARN + s.name, TagKeys=["a"]),
            lambda s: s("UntagResource", Resource=ARN + s.name, TagKeys=["b"]),
        ],
        lambda s: s.read("ListTags", "Tags", Resource=ARN + s.name),
    ),
    "reservations": (
        Subject.made,
        [
            lambda s: s.own("PutFunctionConcurrency", ReservedConcurrentExecutions=5),
            lambda s: s.own("PutFunctionConcurrency", ReservedConcurrentExecutions=7),
            lambda s: s.own("DeleteFunctionConcurrency"),
        ],
        lambda s: s.read(
            "GetFunctionConcurrency", "ReservedConcurrentExecutions", FunctionName=s.name
        ),
    ),
    "provisioned": (
        lambda s: s.made(Publish=True),
        [
            lambda s: s.own(
                "PutProvisionedConcurrencyConfig", Qualifier="1", ProvisionedConcurrentExecutions=1
            ),
            lambda s: s.own("DeleteProvisionedConcurrencyConfig", Qualifier="1"),
        ],
        lambda s: s.read(
            "GetProvisionedConcurrencyConfig",
            "RequestedProvisionedConcurrentExecutions",
            FunctionName=s.name,
            Qualifier="1",
        ),
    ),
    "events": (
        Subject.made,
        [
            lambda s: s.own("PutFunctionEventInvokeConfig", MaximumRetryAttempts=1),
            lambda s: s.own("UpdateFunctionEventInvokeConfig", MaximumEventAgeInSeconds=60),
            lambda s: s.own("DeleteFunctionEventInvokeConfig"),
        ],
        events,
    ),
    "urls": (
        Subject.made,
        [
            lambda s: s.own("CreateFunctionUrlConfig", AuthType="NONE"),
            lambda s: s.own("UpdateFunctionUrlConfig", AuthType="AWS_IAM"),
            lambda s: s.own("DeleteFunctionUrlConfig"),
        ],
        lambda s: s.read("GetFunctionUrlConfig", "AuthType", FunctionName=s.name),
    ),
    "mappings": (
        Subject.made,
        [
            lambda s: s.mapping(),
            lambda s: of_mappings(s, "UpdateEventSourceMapping", BatchSize=7),
            lambda s: of_mappings(s, "DeleteEventSourceMapping"),
        ],
        lambda s: [
            each["BatchSize"]
            for each in s.read(
                "ListEventSourceMappings", "EventSourceMappings", FunctionName=s.name
            )
        ],
    ),
    "layers": (
        lambda s: None,
        [
            new_layer,
            lambda s: layer(
                s,
                "AddLayerVersionPermission",
                StatementId="a",
                Action="lambda:GetLayerVersion",
                Principal="*",
            ),
            lambda s: layer(s, "RemoveLayerVersionPermission", StatementId="a"),
            lambda s: layer(s, "DeleteLayerVersion"),
        ],
        layers,
    ),
    "signing": (
        Subject.made,
        [
            new_signing,
            lambda s: signed(s, "UpdateCodeSigningConfig", Description="b"),
            lambda s: signed(s, "PutFunctionCodeSigningConfig", FunctionName=s.name),
            lambda s: s.own("DeleteFunctionCodeSigningConfig"),
            lambda s: signed(s, "DeleteCodeSigningConfig"),
        ],
        signing,
    ),
    "settings": (
        Subject.made,
        [
            lambda s: s.own("PutFunctionRecursionConfig", RecursiveLoop="Allow"),
            lambda s: s.own("PutRuntimeManagementConfig", UpdateRuntimeOn="FunctionUpdate"),
            lambda s: s.own("PutFunctionRecursionConfig", RecursiveLoop="Terminate"),
            lambda s: s.own("PutRuntimeManagementConfig", UpdateRuntimeOn="Auto"),
        ],
        settings,
    ),
    "providers": (
        lambda s: None,
        [
            lambda s: s("CreateCapacityProvider", CapacityProviderName=s.name, **PROVIDER),
            lambda s: s(
                "UpdateCapacityProvider",
                CapacityProviderName=s.name,
                CapacityProviderScalingConfig={"MaxVCpuCount": 4},
            ),
            lambda s: s("DeleteCapacityProvider", CapacityProviderName=s.name),
        ],
        provider,
    ),
    "scaling": (
        managed,
        [
            lambda s: s.own(
                "PutFunctionScalingConfig",
                Qualifier="1",
                FunctionScalingConfig={"MinExecutionEnvironments": 1},
            ),
            lambda s: s.own("PutFunctionScalingConfig", Qualifier="1", FunctionScalingConfig={}),
        ],
        lambda s: s.read(
            "GetFunctionScalingConfig",
            "RequestedFunctionScalingConfig",
            FunctionName=s.name,
            Qualifier="1",
        ),
    ),
}
"""Line -> what makes its subject, its round of changes, and what shows the state."""
