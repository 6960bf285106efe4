"""The wording of constraint violations, and which constraints are whose affair."""

import multiprocessing
import time
from datetime import UTC, datetime

import pytest
from gateway_models import CATALOG
from gateway_samples import untimed
from hypothesis import given
from hypothesis import strategies as st

from emberbox.errors import CallerError
from emberbox.gateway.catalog import SERVICES
from emberbox.gateway.patterns import checked_length, compiled, matches
from emberbox.gateway.validation import EXEMPT, validate

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
ROLE = "arn:aws:iam::123456789012:role/r"
CREATE = {"FunctionName": "f", "Role": ROLE, "Code": {"ZipFile": b"x"}}


def refusal(service, operation, params):
    model = CATALOG.model(service)
    with pytest.raises(CallerError) as caught:
        validate(model, model.operation(operation), params)
    return caught.value


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (
            {"MemorySize": 127},
            "Value '127' at 'memorySize' failed to satisfy constraint: "
            "Member must have value greater than or equal to 128",
        ),
        (
            {"MemorySize": 40_000},
            "Value '40000' at 'memorySize' failed to satisfy constraint: "
            "Member must have value less than or equal to 32768",
        ),
        (
            {"Role": None},
            "Value null at 'role' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"FunctionName": None},
            "Value null at 'functionName' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"Handler": "with blank"},
            "Value 'with blank' at 'handler' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: [^\\s]+",
        ),
        (
            {"Description": "d" * 257},
            f"Value '{'d' * 257}' at 'description' failed to satisfy constraint: "
            "Member must have length less than or equal to 256",
        ),
        (
            {"PackageType": "Tar"},
            "Value 'Tar' at 'packageType' failed to satisfy constraint: "
            "Member must satisfy enum value set: [Zip, Image]",
        ),
        (
            {"Architectures": []},
            "Value '[]' at 'architectures' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            {"Architectures": ["mips"]},
            "Value '[mips]' at 'architectures' failed to satisfy constraint: "
            "Member must satisfy constraint: "
            "[Member must satisfy enum value set: [x86_64, arm64], Member must not be null]",
        ),
        (
            {"Environment": {"Variables": {"_A": "v"}}},
            "Value at 'environment.variables' failed to satisfy constraint: "
            "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: "
            "[a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]",
        ),
        (
            {"FileSystemConfigs": [{"Arn": "x" * 300, "LocalMountPath": "/mnt/a"}]},
            None,
        ),
        (
            {"EphemeralStorage": {}},
            "Value null at 'ephemeralStorage.size' failed to satisfy constraint: "
            "Member must not be null",
        ),
    ],
)
def test_a_violation_is_worded_as_aws_words_it(changed, text):
    """ValidationException 400 with the value, the path and the constraint."""
    params = {name: value for name, value in {**CREATE, **changed}.items() if value is not None}

    error = refusal("lambda", "CreateFunction", params)

    assert (error.code, error.status) == ("ValidationException", 400)
    if text is not None:
        assert error.message == f"1 validation error detected: {text}"
    else:
        assert "at 'fileSystemConfigs.1.member.arn' failed to satisfy" in error.message


def test_all_violations_are_named_at_once():
    """The count comes first, and semicolons part them."""
    error = refusal("lambda", "CreateFunction", {**CREATE, "MemorySize": 1, "Timeout": 0})

    assert error.message == (
        "2 validation errors detected: "
        "Value '0' at 'timeout' failed to satisfy constraint: "
        "Member must have value greater than or equal to 1; "
        "Value '1' at 'memorySize' failed to satisfy constraint: "
        "Member must have value greater than or equal to 128"
    )


def test_exempt_members_are_left_to_the_service():
    """A function's runtime has errors of its own."""
    params = {**CREATE, "Runtime": "cobol85"}
    model = CATALOG.model("lambda")

    validate(model, model.operation("CreateFunction"), params)

    assert EXEMPT["lambda"] == {"Runtime"}


def test_a_bad_name_is_told_with_all_else_that_is_broken():
    """In the order of the model, and fractions are bounded by fractions."""
    model = CATALOG.model("lambda")
    routing = {"AdditionalVersionWeights": {"2": 1.5}}
    params = {"FunctionName": "f g", "Name": "1", "FunctionVersion": "1", "RoutingConfig": routing}

    with pytest.raises(CallerError) as caught:
        validate(model, model.operation("CreateAlias"), params)

    assert caught.value.message.startswith(
        "3 validation errors detected: Value 'f g' at 'functionName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: (arn:"
    )
    assert caught.value.message.endswith(
        "Value '{2=1.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: "
        "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
        "Member must have value greater than or equal to 0.0, Member must not be null]"
    )


def test_a_map_within_a_list_within_a_map_has_a_path():
    """DynamoDB's batches show how deep a path goes."""
    error = refusal("dynamodb", "BatchGetItem", {"RequestItems": {"tab": {"Keys": []}}})

    assert error.message == (
        "1 validation error detected: Value '[]' at 'requestItems.tab.member.keys' failed to "
        "satisfy constraint: Member must have length greater than or equal to 1"
    )


@pytest.mark.parametrize(
    ("service", "operation", "params", "text"),
    [
        (
            "kinesis",
            "PutRecord",
            {"Data": b"x", "PartitionKey": ""},
            "Value '' at 'partitionKey' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "kms",
            "Encrypt",
            {"KeyId": "k", "Plaintext": b""},
            "Value at 'plaintext' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "kms",
            "Decrypt",
            {"CiphertextBlob": b""},
            "Value 'java.nio.HeapByteBuffer[pos=0 lim=0 cap=0]' at 'ciphertextBlob' failed to "
            "satisfy constraint: Member must have length greater than or equal to 1",
        ),
        (
            "logs",
            "PutLogEvents",
            {"logGroupName": "g", "logStreamName": "s", "logEvents": []},
            "Value '[]' at 'logEvents' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "logs",
            "CreateLogGroup",
            {"logGroupName": "g", "tags": {"k": "\x00"}},
            "Value '{k=\x00}' at 'tags' failed to satisfy constraint: Map value must satisfy "
            "constraint: [Member must have length less than or equal to 256, Member must have "
            "length greater than or equal to 0, Member must satisfy regular expression pattern: "
            r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$]",
        ),
        (
            "dynamodb",
            "BatchWriteItem",
            {"RequestItems": {}},
            "Value '{}' at 'requestItems' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "events",
            "PutEvents",
            {"Entries": [{"Detail": "{}", "Time": MOMENT}] * 11},
            "at 'entries' failed to satisfy constraint: "
            "Member must have length less than or equal to 10",
        ),
    ],
)
def test_values_are_shown_as_java_prints_them(service, operation, params, text):
    """Bytes, maps and lists of structures; nothing of what is sensitive."""
    error = refusal(service, operation, params)

    assert error.message.startswith("1 validation error detected: Value")
    assert error.message.endswith(text)


def test_a_structure_is_shown_with_its_members():
    """Names in lower camel case, absent values as null."""
    entry = {"Source": "s", "Resources": [None], "Time": MOMENT}

    error = refusal("events", "PutEvents", {"Entries": [entry] * 11})

    assert (
        "PutEventsRequestEntry(source=s, resources=[null], time=2024-01-01T00:00:00+00:00)"
    ) in error.message


def test_null_elements_are_violations():
    """A list of structures may not hold null."""
    error = refusal(
        "logs", "PutLogEvents", {"logGroupName": "g", "logStreamName": "s", "logEvents": [None]}
    )

    assert "Value null at 'logEvents.1.member' failed" in error.message


@pytest.mark.parametrize(
    ("service", "operation", "params", "code"),
    [
        ("iam", "CreateRole", {}, "ValidationError"),
        ("logs", "CreateLogGroup", {"logGroupName": ""}, "InvalidParameterException"),
        ("kinesis", "CreateStream", {}, "ValidationException"),
        ("apigateway", "CreateRestApi", {}, "BadRequestException"),
    ],
)
def test_each_service_has_its_code_for_violations(service, operation, params, code):
    """The same sentence under the name that the service's clients know."""
    error = refusal(service, operation, params)

    assert error.code == code
    assert "validation error" in error.message


def test_sqs_names_the_missing_parameter():
    """SQS has a sentence of its own."""
    error = refusal("sqs", "CreateQueue", {})

    assert (error.code, error.message) == (
        "MissingParameter",
        "The request must contain the parameter QueueName.",
    )


def test_s3_checks_presence_only():
    """An incomplete document is malformed; enums and patterns are the service's affair."""
    model = CATALOG.model("s3")
    validate(model, model.operation("PutBucketAcl"), {"Bucket": "b", "ACL": "whatever"})

    error = refusal("s3", "DeleteObjects", {"Bucket": "b", "Delete": {}})

    assert error.code == "MalformedXML"


def test_the_count_of_violations_is_bounded():
    """Ten thousand bad elements do not make ten thousand sentences."""
    params = {"logGroupName": "g", "logStreamName": "s", "logEvents": [{}] * 10_000}

    error = refusal("logs", "PutLogEvents", params)

    assert error.message.startswith("100 validation errors detected")


def _patterns():
    found = set()
    for service in SERVICES:
        model = CATALOG.model(service)
        found |= {raw["pattern"] for raw in model._raw["shapes"].values() if "pattern" in raw}
    return sorted(found)


def test_no_pattern_of_the_models_is_beyond_python():
    """Were one, it would be skipped, and this list would name it."""
    assert [pattern for pattern in _patterns() if compiled(pattern) is None] == []


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"[\w-_]+", "a-b_c", "a b"),
        (r"[\p{L}\p{N}]*", "zażółć9", "a-b"),
        (r"\p{L}+", "aß中", "a1"),
        (r"\p{Alnum}{2}", "a1", "a_"),
        (r"[\p{Alpha}\p{Digit}]+", "a1", "a_"),
        (r"[\u0020-\uD7FF\uD800\uDC00-\uDBFF\uDFFF]+", "a😀", "a\x01"),
        (r"\d+", "12", "١٢"),
        (r"ab\z", "ab", "ab\n"),
    ],
)
def test_java_s_patterns_keep_their_meaning(pattern, good, bad):
    """Properties, classes and escapes that Python lacks; digits and words are ASCII."""
    assert matches(pattern, good)
    assert not matches(pattern, bad)


@pytest.mark.parametrize("pattern", [r"[a-z&&[^b]]", r"\p{Sogdian}", "("])
def test_what_cannot_be_translated_matches_everything(pattern):
    """Better to let a text pass than to refuse it for a reason nobody can name."""
    assert compiled(pattern) is None
    assert matches(pattern, "anything")


_MUCH_CPU_S = 2.0
"""Of the processor, not of the clock; what backtracks without bound takes minutes."""


def _probe(patterns, slow):
    units = (
        "a",
        "A1",
        "0",
        "-",
        "_",
        "/",
        ".",
        "a.",
        "a-",
        "/a",
        " ",
        "ab ",
        "x=",
        "arn:aws:",
        "[a",
    )
    for pattern in patterns:
        length = min(checked_length(pattern), 4_096)
        compiled(pattern)
        for unit in units:
            for tail in ("!", "\n", ":", "/"):
                text = (unit * length)[: length - 1] + tail
                started = time.process_time()
                matches(pattern, text)
                if time.process_time() - started > _MUCH_CPU_S:
                    slow.put(pattern)


def test_no_pattern_of_the_models_can_be_made_to_run_for_long():
    """Texts made to backtrack, at the greatest length that is checked, against every pattern."""
    context = multiprocessing.get_context("spawn")
    slow = context.Queue()
    prober = context.Process(target=_probe, args=(_patterns(), slow), daemon=True)

    prober.start()
    prober.join(110)
    finished = prober.exitcode == 0
    prober.kill()
    prober.join()

    assert finished
    assert slow.empty()


@pytest.mark.parametrize(
    ("pattern", "length"),
    [
        ("[a-z]{1,64}", 262_144),
        ("[a-z]+", 262_144),
        ("[a-z]+:[a-z]+", 2_048),
        ("a*b*c*", 256),
        ("(a+)+", 20),
        ("(a|b*)*", 20),
        (r"(\(a\)[+*])*x", 262_144),
    ],
)
def test_how_long_a_text_is_checked_depends_on_the_repetitions(pattern, length):
    """One open-ended repetition is harmless, several are costly, nested ones ruinous."""
    assert checked_length(pattern) == length


@untimed
@given(st.text(max_size=60))
def test_patterns_never_raise(text):
    """Whatever pattern a future model brings."""
    matches(text, "some text")
    checked_length(text)


def test_an_enum_is_told_in_the_service_s_order():
    """Which is not the model's for each."""
    error = refusal(
        "lambda", "CreateEventSourceMapping", {"FunctionName": "f", "StartingPosition": "0"}
    )

    assert error.message == (
        "1 validation error detected: Value '0' at 'startingPosition' failed to satisfy "
        "constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"
    )
