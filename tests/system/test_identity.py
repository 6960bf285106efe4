"""A server that enforces policies, through boto3 and the aws command line: who gets how far."""

import base64
import datetime as dt
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from unittest.mock import patch

import pytest
from botocore import auth, awsrequest
from material import make_zip
from secured import ACCOUNT, TRUST, Secured, Someone, allow, document, secured

from tools.running import client_environment, server_environment

HELLO = "def lambda_handler(event, context):\n    return event\n"
READER = """
    import boto3

    def lambda_handler(event, context):
        client = boto3.client(event["service"])
        try:
            getattr(client, event["operation"])(**event["with"])
        except client.exceptions.ClientError as error:
            return error.response["Error"]
        return boto3.client("sts").get_caller_identity()["Arn"]
"""
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:"


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    place = tmp_path_factory.mktemp("enforced")
    with secured(place) as server:
        yield Secured(server, place)
    said = (place / "log").read_text("utf-8", "replace")
    assert "Traceback" not in said, said
    assert " ERROR " not in said, said


@pytest.fixture(scope="module")
def worker(here):
    """An execution role that may write logs."""
    return here.role("worker", TRUST, allow("logs:*"))


@pytest.fixture(scope="module")
def hello(here, worker):
    return here.function("hello", worker, HELLO)


def invoke(who, name, payload=b"{}", **more):
    answer = who.may("lambda", "invoke", FunctionName=name, Payload=payload, **more)
    return json.loads(answer["Payload"].read())


def test_a_user_who_may_only_invoke_one_function(here, worker, hello):
    """That function can be invoked, again and again; nothing else can be done."""
    here.function("other", worker, HELLO)
    ann = here.user("ann", allow("lambda:InvokeFunction", ARN + "hello"))

    for number in range(3):
        assert invoke(ann, "hello", str(number).encode()) == number
    code, message, _ = ann.denied("lambda", "invoke", FunctionName="other")
    assert code == "AccessDeniedException"
    assert message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: "
        f"lambda:InvokeFunction on resource: {ARN}other because no identity-based policy allows "
        "the lambda:InvokeFunction action"
    )
    assert ann.denied("lambda", "get_function", FunctionName="hello")[0] == "AccessDeniedException"
    assert ann.denied("lambda", "list_functions")[0] == "AccessDeniedException"
    assert ann.denied("iam", "list_users")[0] == "AccessDenied"
    assert ann.denied("sqs", "list_queues")[0] == "AccessDeniedException"
    assert ann.may("sts", "get_caller_identity")["Arn"].endswith(":user/ann")


def test_a_qualifier_is_part_of_what_may_be_invoked(here, hello):
    """Permission for a function is none for its versions, as on AWS."""
    version = here.as_root.may("lambda", "publish_version", FunctionName="hello")["Version"]
    eve = here.user("eve", allow("lambda:InvokeFunction", ARN + "hello:*"))
    assert invoke(eve, "hello", Qualifier=version) == {}
    assert eve.denied("lambda", "invoke", FunctionName="hello")[0] == "AccessDeniedException"


def test_a_change_of_policy_counts_at_once(here, hello):
    """A policy taken away, or a key that rests, ends what was allowed a moment ago."""
    dan = here.user("dan", allow("lambda:InvokeFunction"))
    iam = here.as_root.client("iam")
    assert invoke(dan, "hello") == {}
    iam.delete_user_policy(UserName="dan", PolicyName="own")
    assert dan.denied("lambda", "invoke", FunctionName="hello")[0] == "AccessDeniedException"
    policy = document(allow("lambda:*"))
    iam.put_user_policy(UserName="dan", PolicyName="own", PolicyDocument=policy)
    assert invoke(dan, "hello") == {}
    key = dan.keys[0]
    iam.update_access_key(UserName="dan", AccessKeyId=key, Status="Inactive")
    code, _, _ = dan.denied("lambda", "invoke", FunctionName="hello")
    assert code == "UnrecognizedClientException"
    assert dan.denied("iam", "list_users")[0] == "InvalidClientTokenId"


def test_a_function_may_what_its_role_allows(here):
    """A function reads the log group its role names, and no other."""
    group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/mine:*"
    role = here.role("reader", TRUST, allow(["logs:DescribeLogStreams", "logs:Get*"], group))
    for name in ("/mine", "/theirs"):
        here.as_root.may("logs", "create_log_group", logGroupName=name)
    here.function("reader", role, READER)

    def tried(group):
        event = {"service": "logs", "operation": "describe_log_streams"}
        payload = json.dumps({**event, "with": {"logGroupName": group}}).encode()
        return invoke(here.as_root, "reader", payload)

    assert tried("/mine") == f"arn:aws:sts::{ACCOUNT}:assumed-role/reader/reader"
    refused = tried("/theirs")
    assert refused["Code"] == "AccessDeniedException"
    assert "assumed-role/reader/reader is not authorized" in refused["Message"]


def test_chains_of_roles(here):
    """Each link of a chain is decided; a session policy and an external id narrow it."""
    zoe = here.user("zoe", allow("sts:AssumeRole"))
    first_arn = f"arn:aws:iam::{ACCOUNT}:role/first"
    user = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    by_zoe = {"Effect": "Allow", "Principal": user, "Action": "sts:AssumeRole"}
    with_id = {"StringEquals": {"sts:ExternalId": "x1"}}
    here.role("first", {**by_zoe, "Condition": with_id}, allow(["sts:AssumeRole", "s3:*"]))
    by_first = {**by_zoe, "Principal": {"AWS": first_arn}}
    second = here.role("second", by_first, allow(["logs:*", "lambda:ListFunctions"]))

    wanted = {"RoleArn": first_arn, "RoleSessionName": "me"}
    assert zoe.denied("sts", "assume_role", **wanted)[0] == "AccessDenied"
    assert zoe.denied("sts", "assume_role", **{**wanted, "RoleArn": second})[0] == "AccessDenied"
    one = zoe.assume(first_arn, ExternalId="x1")
    assert one.denied("logs", "describe_log_groups")[0] == "AccessDeniedException"
    two = one.assume(second)
    assert two.may("logs", "describe_log_groups")
    narrow = one.assume(second, Policy=document(allow("lambda:ListFunctions")))
    assert narrow.may("lambda", "list_functions")
    code, message, _ = narrow.denied("logs", "describe_log_groups")
    assert (code, "because no session policy allows" in message) == (
        "AccessDeniedException",
        True,
    )
    here.as_root.may("iam", "delete_role_policy", RoleName="second", PolicyName="own")
    here.as_root.may("iam", "delete_role", RoleName="second")
    assert two.denied("sts", "get_caller_identity")[0] == "InvalidClientTokenId"


def test_boundaries_and_groups(here, hello):
    """A group allows, a boundary limits."""
    iam = here.as_root.client("iam")
    kim = here.user("kim")
    iam.create_group(GroupName="devs")
    iam.put_group_policy(
        GroupName="devs", PolicyName="p", PolicyDocument=document(allow("lambda:*"))
    )
    assert kim.denied("lambda", "list_functions")[0] == "AccessDeniedException"
    iam.add_user_to_group(GroupName="devs", UserName="kim")
    assert kim.may("lambda", "list_functions")
    bound = "arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess"
    iam.put_user_permissions_boundary(UserName="kim", PermissionsBoundary=bound)
    assert kim.may("lambda", "list_functions")
    _, message, _ = kim.denied("lambda", "invoke", FunctionName="hello")
    assert message.endswith(
        "because no permissions boundary allows the lambda:InvokeFunction action"
    )


def test_passing_roles(here, worker):
    """Who makes a function must be allowed to give it its role, and Lambda to assume it."""
    max_ = here.user("max", allow("lambda:*"), allow("iam:PassRole", worker))
    nobody = here.role("nobody", {**TRUST, "Principal": {"Service": "sns.amazonaws.com"}})
    code = {"ZipFile": b"PK\x05\x06" + b"\0" * 18}
    wanted = {"FunctionName": "mine", "Runtime": "python3.12", "Handler": "a.b", "Code": code}
    refused, message, _ = max_.denied("lambda", "create_function", **wanted, Role=nobody)
    assert (refused, "iam:PassRole" in message) == ("AccessDeniedException", True)
    refused, message, _ = here.as_root.denied("lambda", "create_function", **wanted, Role=nobody)
    assert message == "The role defined for the function cannot be assumed by Lambda."


def test_code_is_read_for_those_alone_who_may_read_it(here, worker):
    """Who makes a function of an object in a bucket needs the right to get the object."""
    s3 = here.as_root.client("s3")
    s3.create_bucket(Bucket="private-packages")
    s3.put_object(Bucket="private-packages", Key="app.zip", Body=make_zip(app=""))
    may_make = allow("lambda:*"), allow("iam:PassRole", worker)
    packer = here.user("packer", *may_make)
    reader = here.user(
        "reader-of-code", *may_make, allow("s3:GetObject", "arn:aws:s3:::private-packages/*")
    )
    code = {"S3Bucket": "private-packages", "S3Key": "app.zip"}
    wanted = {"FunctionName": "of-object", "Runtime": "python3.12", "Handler": "app.h"}

    refused, message, _ = packer.denied(
        "lambda", "create_function", **wanted, Role=worker, Code=code
    )
    layer, _, _ = packer.denied("lambda", "publish_layer_version", LayerName="l", Content=code)
    made = reader.may("lambda", "create_function", **wanted, Role=worker, Code=code)

    assert (refused, "s3:GetObject" in message) == ("AccessDeniedException", True)
    assert layer == "AccessDeniedException"
    assert made["CodeSize"] > 0


def test_each_object_of_many_is_decided_by_itself(here):
    """What may be deleted is, what may not is told apart, and stays."""
    root = here.as_root
    root.may("s3", "create_bucket", Bucket="mixed")
    for key in ("mine/a", "theirs/b"):
        root.may("s3", "put_object", Bucket="mixed", Key=key, Body=b"x")
    user = here.user("half", allow("s3:DeleteObject", "arn:aws:s3:::mixed/mine/*"))
    keys = [{"Key": "theirs/b"}, {"Key": "mine/a"}]
    done = user.may("s3", "delete_objects", Bucket="mixed", Delete={"Objects": keys})
    assert [each["Key"] for each in done["Deleted"]] == ["mine/a"]
    assert [(each["Key"], each["Code"]) for each in done["Errors"]] == [
        ("theirs/b", "AccessDenied")
    ]
    left = root.may("s3", "list_objects_v2", Bucket="mixed")["Contents"]
    assert [each["Key"] for each in left] == ["theirs/b"]


def test_who_may_not_list_a_bucket_is_not_told_what_is_missing(here):
    """A missing object is 403 for the one, 404 for the other."""
    root = here.as_root
    root.may("s3", "create_bucket", Bucket="quiet")
    objects = allow("s3:GetObject", "arn:aws:s3:::quiet/*")
    blind = here.user("blind", objects)
    seeing = here.user("seeing", objects, allow("s3:ListBucket", "arn:aws:s3:::quiet"))
    code, _, _ = blind.denied("s3", "get_object", Bucket="quiet", Key="nothing")
    assert code == "AccessDenied"
    assert blind.denied("s3", "head_object", Bucket="quiet", Key="nothing")[0] == "403"
    with pytest.raises(seeing.client("s3").exceptions.ClientError) as caught:
        seeing.may("s3", "get_object", Bucket="quiet", Key="nothing")
    assert caught.value.response["Error"]["Code"] == "NoSuchKey"
    root.may("s3", "put_object", Bucket="quiet", Key="there", Body=b"x")
    assert blind.may("s3", "get_object", Bucket="quiet", Key="there")["Body"].read() == b"x"


def test_denials_are_explained(here):
    """The id of a denied request leads to the statement that decided."""
    stopped = {"Effect": "Deny", "Action": "lambda:List*", "Resource": "*", "Sid": "NoLists"}
    sue = here.user("sue", allow("lambda:*"), stopped)
    code, message, request_id = sue.denied("lambda", "list_functions")
    assert code == "AccessDeniedException"
    assert message.endswith("with an explicit deny in an identity-based policy")
    said = subprocess.run(
        [
            *(sys.executable, "-m", "emberbox", "why-denied", request_id),
            *("--data-dir", str(here.place / "data")),
        ],
        capture_output=True,
        text=True,
        check=True,
        env=server_environment(),
    ).stdout
    assert "explicitDeny" in said
    assert "statement 2 (NoLists) of own" in said
    assert "user/sue" in said


def raw(someone, *, now=None, tamper=None, body=b"{}", secret=None):
    """An invocation signed by botocore and changed on the way: status and body of the answer."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    key, own, token = someone.keys
    url = f"{someone.url}/2015-03-31/functions/hello/invocations"
    request = awsrequest.AWSRequest("POST", url, data=body)
    from botocore.credentials import Credentials

    credentials = Credentials(key, secret or own, token)
    moment = now or dt.datetime.now(dt.UTC).replace(tzinfo=None)
    with patch.object(auth, "get_current_datetime", lambda *_a: moment):
        auth.SigV4Auth(credentials, "lambda", "us-east-1").add_auth(request)
    headers = dict(request.headers.items())
    sent = Request(url, data=body, headers=headers, method="POST")
    if tamper:
        tamper(sent)
    try:
        with urlopen(sent) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.headers.get("x-amzn-errortype", "") + error.read().decode()


def test_signatures(here, hello):
    """Fresh and whole requests get in; tampered, old, early and unsigned ones do not."""
    root = here.as_root
    assert raw(root) == (200, "{}")

    def other_body(sent):
        sent.data = b"[]"

    def other_function(sent):
        sent.full_url = sent.full_url.replace("hello", "reader")

    def more_headers(sent):
        sent.add_header("X-Amz-Invocation-Type", "Event")

    def unsigned(sent):
        sent.remove_header("Authorization")

    for change in (other_body, other_function, more_headers):
        status, said = raw(root, tamper=change)
        assert (status, "InvalidSignatureException" in said) == (403, True), said
    status, said = raw(root, tamper=unsigned)
    assert (status, "MissingAuthenticationTokenException" in said) == (403, True)
    status, said = raw(root, secret="not the secret")
    assert (status, "InvalidSignatureException" in said) == (403, True)
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    status, said = raw(root, now=now - dt.timedelta(minutes=6))
    assert (status, "Signature expired" in said) == (403, True)
    status, said = raw(root, now=now + dt.timedelta(minutes=6))
    assert (status, "Signature not yet current" in said) == (403, True)
    stranger = Someone(root.url, "AKIAIOSFODNN7EXAMPLE", "secret")
    status, said = raw(stranger)
    assert (status, "UnrecognizedClientException" in said) == (403, True)


def test_presigned_requests(here):
    """A presigned URL works as long as it says, and only as it was signed."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    url = here.as_root.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    with urlopen(url) as answer:
        assert b":root" in answer.read()
    with pytest.raises(HTTPError) as raised:
        urlopen(url.replace("GetCallerIdentity", "GetSessionToken"))
    assert raised.value.code == 403
    raised.value.close()


def test_session_tokens(here):
    """GetSessionToken gives what works for everything but IAM; its token is part of the key."""
    made = here.as_root.may("sts", "get_session_token")["Credentials"]
    keys = (made["AccessKeyId"], made["SecretAccessKey"])
    session = Someone(here.server.url, *keys, made["SessionToken"])
    assert session.may("lambda", "list_functions")
    assert session.denied("iam", "list_users")[0] == "InvalidClientTokenId"
    without = Someone(here.server.url, *keys)
    assert without.denied("lambda", "list_functions")[0] == "UnrecognizedClientException"


def test_command_line(here, hello, tmp_path):
    """The aws command line signs as it does for AWS, and reads the same refusals."""
    pat = here.user("pat", allow("lambda:InvokeFunction", ARN + "hello"))

    def aws(*arguments):
        environment = {
            **client_environment(pat.url, tmp_path),
            "AWS_ACCESS_KEY_ID": pat.keys[0],
            "AWS_SECRET_ACCESS_KEY": pat.keys[1],
        }
        return subprocess.run(
            ["aws", *arguments], env=environment, capture_output=True, text=True, check=False
        )

    out = tmp_path / "out.json"
    done = aws("lambda", "invoke", "--function-name", "hello", "--payload", "7", str(out))
    assert done.returncode == 0, done.stderr
    assert out.read_text() == "7"
    done = aws("lambda", "list-functions")
    assert done.returncode != 0
    assert "AccessDeniedException" in done.stderr
    assert "user/pat is not authorized to perform: lambda:ListFunctions" in done.stderr


def test_the_bill_is_for_who_may_see_it(here, hello):
    """Our own command signs; who may read no metrics sees no bill, nor does who does not sign."""
    tess = here.user("tess", allow("lambda:InvokeFunction", ARN + "hello"))
    uri = here.user("uri", allow("cloudwatch:GetMetricData"))
    invoke(tess, "hello")

    def emberbox(who, *words):
        environment = {**server_environment(), "AWS_ACCESS_KEY_ID": who.keys[0]}
        environment["AWS_SECRET_ACCESS_KEY"] = who.keys[1]
        command = [sys.executable, "-m", "emberbox", *words, "--endpoint-url", here.server.url]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert emberbox(tess, "invoke", "hello").returncode == 0
    assert "cloudwatch:GetMetricData" in emberbox(tess, "cost").stderr
    assert "hello" in emberbox(uri, "cost").stdout
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{here.server.url}/metrics", timeout=30)
    refused.value.close()
    assert refused.value.code == 403


def test_topics_need_the_queues_policy(here):
    """Only the queue whose policy lets the topic in gets its messages."""
    sns, sqs = here.as_root.client("sns"), here.as_root.client("sqs")
    topic = sns.create_topic(Name="news")["TopicArn"]
    queues = {}
    for name in ("shut", "open"):
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"
        queues[name] = url
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    statement = {
        **allow("sqs:SendMessage", arn, Condition={"ArnEquals": {"aws:SourceArn": topic}}),
        "Principal": {"Service": "sns.amazonaws.com"},
    }
    policy = {"Policy": document(statement)}
    sqs.set_queue_attributes(QueueUrl=queues["open"], Attributes=policy)

    sns.publish(TopicArn=topic, Message="hello")

    got = sqs.receive_message(QueueUrl=queues["open"], WaitTimeSeconds=10)
    assert len(got["Messages"]) == 1
    assert "Messages" not in sqs.receive_message(QueueUrl=queues["shut"])


def test_other_accounts_need_the_functions_policy(here, hello):
    """Another account's root gets in where the function's policy lets it."""
    code, message, _ = here.user("sam").denied(
        "lambda", "invoke", FunctionName="arn:aws:lambda:us-east-1:999999999999:function:hello"
    )
    assert code == "AccessDeniedException"
    assert "999999999999" in message


def test_mappings_need_a_role_that_may_read(here, hello, worker):
    """A queue feeds a function only if the function's role may receive from it."""
    url = here.as_root.may("sqs", "create_queue", QueueName="jobs")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs"
    assert url
    wanted = {"FunctionName": "hello", "EventSourceArn": arn}
    code, message, _ = here.as_root.denied("lambda", "create_event_source_mapping", **wanted)
    assert code == "InvalidParameterValueException"
    assert "ReceiveMessage" in message
    queue = "arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole"
    here.as_root.may("iam", "attach_role_policy", RoleName="worker", PolicyArn=queue)
    made = here.as_root.may("lambda", "create_event_source_mapping", **wanted)
    here.as_root.may("lambda", "delete_event_source_mapping", UUID=made["UUID"])
    here.as_root.may("iam", "detach_role_policy", RoleName="worker", PolicyArn=queue)


def test_logs_are_written_as_the_role_allows(here):
    """A function whose role may not write its log has none; the tail shows it all the same."""
    silent = here.role("silent", TRUST, allow("logs:*", "arn:aws:logs:*:*:log-group:/elsewhere:*"))
    talking = here.role("talking", TRUST, allow("logs:*"))
    for name, role in (("mute", silent), ("loud", talking)):
        here.function(name, role, "def lambda_handler(event, context):\n    print('word')\n")
        answer = here.as_root.may(
            "lambda", "invoke", FunctionName=name, Payload=b"{}", LogType="Tail"
        )
        assert b"word" in base64.b64decode(answer["LogResult"])
    groups = here.as_root.may("logs", "describe_log_groups")["logGroups"]
    names = {group["logGroupName"] for group in groups}
    assert "/aws/lambda/loud" in names
    assert "/aws/lambda/mute" not in names


def test_a_group_is_made_only_by_a_role_that_may(here):
    """Without the right to make it a function has a log once somebody else has made its group."""
    writing = allow(["logs:CreateLogStream", "logs:PutLogEvents"])
    role = here.role("writer", TRUST, writing)
    here.function("groupless", role, "def lambda_handler(event, context):\n    return 'ran'\n")
    group = {"logGroupName": "/aws/lambda/groupless"}

    assert invoke(here.as_root, "groupless") == "ran"
    found = {"logGroupNamePrefix": group["logGroupName"]}
    groups = here.as_root.may("logs", "describe_log_groups", **found)
    assert groups["logGroups"] == []

    here.as_root.may("logs", "create_log_group", **group)
    changed = {"FunctionName": "groupless", "MemorySize": 256}
    here.as_root.may("lambda", "update_function_configuration", **changed)
    here.as_root.client("lambda").get_waiter("function_updated_v2").wait(FunctionName="groupless")
    assert invoke(here.as_root, "groupless") == "ran"
    streams = here.as_root.may("logs", "describe_log_streams", **group)["logStreams"]
    assert len(streams) == 1


def test_queue_policies_count(here):
    """A queue's policy lets a user in whom no other policy names, and denies whom others allow."""
    url = here.as_root.may("sqs", "create_queue", QueueName="shared")["QueueUrl"]
    ida, leo = here.user("ida"), here.user("leo", allow("sqs:*"))
    send = {"QueueUrl": url, "MessageBody": "hello"}
    assert ida.denied("sqs", "send_message", **send)[0] == "AccessDeniedException"
    assert leo.may("sqs", "send_message", **send)
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:shared"

    def named(name):
        return {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"}}

    text = document(
        allow("sqs:SendMessage", arn, **named("ida")),
        {**allow("sqs:*", arn, **named("leo")), "Effect": "Deny"},
    )
    here.as_root.may("sqs", "set_queue_attributes", QueueUrl=url, Attributes={"Policy": text})
    assert ida.may("sqs", "send_message", **send)
    _, message, _ = leo.denied("sqs", "send_message", **send)
    assert message.endswith("with an explicit deny in a resource-based policy")


def test_dead_letters_need_a_role_that_may_send(here):
    """No target without them; a letter that may no longer be sent is an error, then it comes."""
    sqs, cloudwatch = here.as_root.client("sqs"), here.as_root.client("cloudwatch")
    url = sqs.create_queue(QueueName="letters")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:letters"
    role = here.role("no-letters", TRUST, allow("logs:*"))
    here.function(
        "undelivered", role, "def lambda_handler(event, context):\n    raise ValueError\n"
    )
    client, iam = here.as_root.client("lambda"), here.as_root.client("iam")
    with pytest.raises(client.exceptions.InvalidParameterValueException) as refused:
        client.update_function_configuration(
            FunctionName="undelivered", DeadLetterConfig={"TargetArn": arn}
        )
    assert "permissions to call SendMessage on SQS" in str(refused.value)
    text = document(allow("logs:*"), allow("sqs:SendMessage", arn))
    iam.put_role_policy(RoleName="no-letters", PolicyName="own", PolicyDocument=text)
    client.update_function_configuration(
        FunctionName="undelivered", DeadLetterConfig={"TargetArn": arn}
    )
    client.get_waiter("function_updated_v2").wait(FunctionName="undelivered")
    client.put_function_event_invoke_config(FunctionName="undelivered", MaximumRetryAttempts=0)
    iam.put_role_policy(
        RoleName="no-letters", PolicyName="own", PolicyDocument=document(allow("logs:*"))
    )

    client.invoke(FunctionName="undelivered", InvocationType="Event", Payload=b'{"n": 1}')

    names, deadline = set(), time.monotonic() + 60
    while "DeadLetterErrors" not in names and time.monotonic() < deadline:
        names = {
            metric["MetricName"]
            for metric in cloudwatch.list_metrics(
                Namespace="AWS/Lambda",
                Dimensions=[{"Name": "FunctionName", "Value": "undelivered"}],
            )["Metrics"]
        }
    assert "DeadLetterErrors" in names
    iam.put_role_policy(RoleName="no-letters", PolicyName="own", PolicyDocument=text)
    client.invoke(FunctionName="undelivered", InvocationType="Event", Payload=b'{"n": 2}')
    got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)
    assert '{"n": 2}' in [message["Body"] for message in got["Messages"]]


def test_alarms_need_the_functions_policy(here, hello):
    """An alarm's action is refused until the function lets alarms in; its history tells both."""
    client, cloudwatch = here.as_root.client("lambda"), here.as_root.client("cloudwatch")
    alarm = {"AlarmName": "needs-consent", "StateReason": "by hand"}
    cloudwatch.put_metric_alarm(
        AlarmName="needs-consent",
        Namespace="App",
        MetricName="Unmeasured",
        TreatMissingData="ignore",  # so that it changes by hand alone
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
        AlarmActions=[ARN + hello],
    )
    cloudwatch.set_alarm_state(StateValue="ALARM", **alarm)
    client.add_permission(
        FunctionName=hello,
        StatementId="alarms",
        Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com",
        SourceArn=f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:needs-consent",
        SourceAccount=ACCOUNT,
    )
    cloudwatch.set_alarm_state(StateValue="OK", **alarm)
    cloudwatch.set_alarm_state(StateValue="ALARM", **alarm)

    items = cloudwatch.describe_alarm_history(
        AlarmName="needs-consent", HistoryItemType="Action", ScanBy="TimestampAscending"
    )["AlarmHistoryItems"]
    outcomes = [json.loads(item["HistoryData"])["actionState"] for item in items]
    assert outcomes == ["Failed", "Succeeded"]
    client.remove_permission(FunctionName=hello, StatementId="alarms")


def test_our_own_commands_hand_on_keys(here, tmp_path):
    """`emberbox env` and `aws` take a profile, and say what is wrong without one."""
    key, secret, _ = here.user("toni", allow("lambda:ListFunctions")).keys
    profiles = tmp_path / "profiles"
    profiles.write_text(
        f"[toni]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        f"[wrong]\naws_access_key_id = {key}\naws_secret_access_key = another\n"
        "[gone]\naws_access_key_id = AKIAGONE\naws_secret_access_key = another\n"
    )
    environment = {
        **client_environment(here.server.url, tmp_path),
        "AWS_SHARED_CREDENTIALS_FILE": str(profiles),
        "EMBERBOX_ENDPOINT_URL": here.server.url,
    }

    def emberbox(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "emberbox", *arguments],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert f"AWS_ACCESS_KEY_ID={key}" in emberbox("env", "--profile", "toni").stdout
    listed = emberbox("aws", "--profile", "toni", "--", "lambda", "list-functions")
    assert listed.returncode == 0, listed.stderr
    assert "Functions" in json.loads(listed.stdout)

    for profile, said in (
        ([], "needs an access key of its own"),
        (["--profile", "wrong"], f"the secret is not that of the access key {key}"),
        (["--profile", "gone"], "no active access key AKIAGONE"),
    ):
        for command in (["env", *profile], ["aws", *profile, "--", "lambda", "list-functions"]):
            refused = emberbox(*command)
            assert (refused.returncode, refused.stdout) == (1, "")
            assert said in refused.stderr
