"""What a function's answer to a batch means."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.batch_response import failed_records

IDS = ["a", "b", "c"]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b'""',
        b"[]",
        b"{}",
        b'{"batchItemFailures":null}',
        b'{"batchItemFailures":[]}',
    ],
)
def test_an_answer_without_failures_is_success(payload):
    """Empty answers of every form report nothing."""
    assert failed_records(payload, IDS) == frozenset()


@pytest.mark.parametrize(
    "payload",
    [
        b"nonsense",
        b'"done"',
        b"true",
        b'{"failures":[]}',
        b'{"batchItemFailures":"a"}',
        b'{"batchItemFailures":[{"itemIdentifier":""}]}',
        b'{"batchItemFailures":[{"itemIdentifier":null}]}',
        b'{"batchItemFailures":[{"itemIdentifier":7}]}',
        b'{"batchItemFailures":[{"itemId":"a"}]}',
        b'{"batchItemFailures":["a"]}',
        b'{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"z"}]}',
    ],
)
def test_an_answer_that_cannot_be_understood_fails_the_batch(payload):
    """Wrong JSON, wrong keys, empty identifiers and strangers."""
    assert failed_records(payload, IDS) is None


@given(st.sets(st.sampled_from(IDS)))
def test_exactly_what_is_reported_has_failed(failed):
    """The others are done."""
    answer = {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
    assert failed_records(json.dumps(answer).encode(), IDS) == failed
