"""OpenTelemetry: spans of a real server, sent by OTLP to a real collector."""

import json
import os
import urllib.request

import boto3
import pytest
from botocore.config import Config
from collector import collecting
from material import ROLE, make_zip

from tools.running import running

SOURCE = """
    import os

    def lambda_handler(event, context):
        if event.get("fail"):
            raise ValueError("on purpose")
        return {"trace": os.environ["_X_AMZN_TRACE_ID"], "event": event}
"""
QUEUE = "arn:aws:sqs:us-east-1:123456789012:"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A server that exports, and the collector."""
    tmp_path = tmp_path_factory.mktemp("spans")
    with collecting() as collector, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        patch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=ours")
        patch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        patch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        with running(tmp_path / "data", tmp_path / "log", "--otel") as server:
            yield Place(server, collector)
        said = (tmp_path / "log").read_text("utf-8", "replace")
        assert "Traceback" not in said, said
        assert " ERROR " not in said, said


class Place:
    def __init__(self, server, collector):
        self.server = server
        self.collector = collector

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.server.url,
            region_name="us-east-1",
            aws_access_key_id="emberbox",
            aws_secret_access_key="emberbox",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def function(self, name, **configuration):
        client = self.client("lambda")
        client.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=ROLE,
            Handler="lambda_function.lambda_handler",
            Code={"ZipFile": make_zip(lambda_function=SOURCE)},
            **configuration,
        )
        client.get_waiter("function_active_v2").wait(FunctionName=name)
        return name

    def invoke(self, name, event, headers, **options):
        client = self.client("lambda")

        def add(request, **_):
            for key, value in headers.items():
                request.headers[key] = value

        client.meta.events.register("before-sign.lambda.Invoke", add)
        return client.invoke(FunctionName=name, Payload=json.dumps(event), **options)


def ids():
    """A trace and a span that nobody has."""
    return os.urandom(16).hex(), os.urandom(8).hex()


def traceparent(trace_id, span_id):
    return {"traceparent": f"00-{trace_id}-{span_id}-01"}


def fields(trace):
    return dict(part.split("=") for part in trace.split(";"))


def test_a_call_goes_on_with_its_callers_trace_into_the_function(place):
    """Request, invocation and INIT stand below the client's span; the function sees the same."""
    name = place.function("spanned")
    trace_id, client = ids()
    answer = place.invoke(name, {}, traceparent(trace_id, client))
    spans = place.collector.trace(trace_id, "lambda/Invoke", name, "INIT")
    request, invocation, init = spans["lambda/Invoke"], spans[name], spans["INIT"]

    assert (request.parent_id, request.kind) == (client, "SERVER")
    assert invocation.parent_id == request.span_id
    assert init.parent_id == invocation.span_id
    assert request.start <= invocation.start <= init.start < init.end <= invocation.end
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["faas.invoked_name"] == name
    assert request.attributes["aws.request_id"] == answer["ResponseMetadata"]["RequestId"]
    assert request.resource["service.name"] == "emberbox"
    assert invocation.resource["deployment.environment.name"] == "test"
    assert invocation.resource["service.name"] == invocation.resource["faas.name"] == name
    assert invocation.resource["cloud.account.id"] == "123456789012"
    assert invocation.attributes["faas.coldstart"] is True
    assert invocation.attributes["faas.invocation_id"] == request.attributes["aws.request_id"]
    assert not any(span.is_error for span in spans.values())
    assert place.collector.headers["x-tenant"] == "ours"

    seen = fields(json.load(answer["Payload"])["trace"])
    assert seen["Root"] == f"1-{trace_id[:8]}-{trace_id[8:]}"
    assert (seen["Parent"], seen["Sampled"]) == (invocation.span_id, "1")


def test_a_caller_of_xray_has_the_same_trace_in_both(place):
    """The trace's id is the same, and so is that of the function's segment and span."""
    name = place.function("both")
    trace_id, client = ids()
    root = f"1-{trace_id[:8]}-{trace_id[8:]}"
    header = {"X-Amzn-Trace-Id": f"Root={root};Parent={client};Sampled=1"}
    answer = place.invoke(name, {}, header)
    spans = place.collector.trace(trace_id, "lambda/Invoke", name)
    assert spans[name].parent_id == spans["lambda/Invoke"].span_id
    assert spans["lambda/Invoke"].parent_id == client

    (trace,) = place.client("xray").batch_get_traces(TraceIds=[root])["Traces"]
    segments = [json.loads(each["Document"]) for each in trace["Segments"]]
    by_origin = {each["origin"]: each for each in segments}
    assert by_origin["AWS::Lambda"]["parent_id"] == client
    assert by_origin["AWS::Lambda::Function"]["id"] == spans[name].span_id
    assert fields(json.load(answer["Payload"])["trace"])["Parent"] == spans[name].span_id


def test_what_is_sampled_for_spans_alone_is_not_kept_for_xray(place):
    """X-Ray's store does not fill with every invocation there is."""
    name = place.function("alone")
    trace_id, client = ids()
    place.invoke(name, {}, traceparent(trace_id, client))
    place.collector.trace(trace_id, name)
    root = f"1-{trace_id[:8]}-{trace_id[8:]}"
    assert place.client("xray").batch_get_traces(TraceIds=[root])["Traces"] == []


def test_a_caller_that_does_not_sample_has_no_spans(place):
    """The flag of its traceparent decides, and the function sees it too."""
    name = place.function("unsampled")
    (unwanted, client), (wanted, other) = ids(), ids()
    answer = place.invoke(name, {}, {"traceparent": f"00-{unwanted}-{client}-00"})
    assert fields(json.load(answer["Payload"])["trace"])["Sampled"] == "0"
    place.invoke(name, {}, traceparent(wanted, other))
    place.collector.trace(wanted, name)
    assert place.collector.trace(unwanted) == {}


def test_errors_show_by_whose_fault_they_are(place):
    """A function that fails is an error; a caller's mistake is named, and none of the server."""
    name = place.function("failing")
    (failed, first), (missing, second) = ids(), ids()
    place.invoke(name, {"fail": True}, traceparent(failed, first))
    spans = place.collector.trace(failed, "lambda/Invoke", name)
    assert (spans[name].is_error, spans[name].error) == (True, "on purpose")
    assert spans[name].attributes["error.type"] == "ValueError"
    assert spans["lambda/Invoke"].is_error

    with pytest.raises(Exception, match="ResourceNotFound"):
        place.invoke("nowhere", {}, traceparent(missing, second))
    request = place.collector.trace(missing, "lambda/Invoke")["lambda/Invoke"]
    assert request.attributes["error.type"] == "ResourceNotFoundException"
    assert request.attributes["http.response.status_code"] == 404
    assert not request.is_error


def test_one_trace_leads_from_an_event_through_a_destination_to_the_next_function(place):
    """Accepted, run, failed, told to a queue, polled from there: all in the caller's trace."""
    first, second = place.function("event-first"), place.function("event-second")
    url = place.client("sqs").create_queue(QueueName="between")["QueueUrl"]
    functions = place.client("lambda")
    functions.put_function_event_invoke_config(
        FunctionName=first,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": f"{QUEUE}between"}},
    )
    mapping = functions.create_event_source_mapping(
        FunctionName=second, EventSourceArn=f"{QUEUE}between", BatchSize=1
    )["UUID"]
    trace_id, client = ids()
    place.invoke(first, {"fail": True}, traceparent(trace_id, client), InvocationType="Event")
    names = (f"process {first}", first, "send between", "process between", second)
    spans = place.collector.trace(trace_id, "lambda/Invoke", *names)
    accepted = spans["lambda/Invoke"]
    attempt, run, told, batch, last = (spans[name] for name in names)

    assert accepted.attributes["http.response.status_code"] == 202
    assert (attempt.kind, attempt.parent_id) == ("CONSUMER", accepted.span_id)
    assert attempt.attributes["emberbox.event.attempt"] == 1
    assert attempt.attributes["emberbox.event.outcome"] == "RetriesExhausted"
    assert attempt.is_error
    assert run.is_error
    assert run.parent_id == attempt.span_id
    assert (told.kind, told.parent_id) == ("PRODUCER", accepted.span_id)
    assert told.attributes["messaging.system"] == "aws_sqs"
    assert (batch.kind, batch.parent_id) == ("CONSUMER", told.span_id)
    assert batch.links == [(trace_id, told.span_id)]
    assert batch.attributes["messaging.batch.message_count"] == 1
    assert last.parent_id == batch.span_id
    assert last.attributes["faas.trigger"] == "pubsub"
    functions.delete_event_source_mapping(UUID=mapping)
    place.client("sqs").delete_queue(QueueUrl=url)


def test_a_request_to_a_function_url_goes_on_in_its_event(place):
    """The function finds both headers in its event, each naming the span of the request."""
    name = place.function("by-url")
    functions = place.client("lambda")
    url = functions.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    functions.add_permission(
        FunctionName=name,
        StatementId="all",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    functions.add_permission(
        FunctionName=name,
        StatementId="more",
        Action="lambda:InvokeFunction",
        Principal="*",
        InvokedViaFunctionUrl=True,
    )
    trace_id, client = ids()
    request = urllib.request.Request(f"{url}path", headers=traceparent(trace_id, client))
    with urllib.request.urlopen(request) as answer:
        headers = json.load(answer)["event"]["headers"]
    spans = place.collector.trace(trace_id, f"GET {name}", name)
    asked = spans[f"GET {name}"]
    assert asked.parent_id == client
    assert headers["traceparent"] == f"00-{trace_id}-{asked.span_id}-01"
    assert fields(headers["x-amzn-trace-id"])["Parent"] == asked.span_id
    assert asked.attributes["url.path"].endswith("/path")
    assert spans[name].attributes["faas.trigger"] == "http"
