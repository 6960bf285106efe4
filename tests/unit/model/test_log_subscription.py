"""What functions are sent of log events: all of it, in order, in pieces that fit."""

import gzip
import json
import random
from base64 import b64decode

import pytest

from emberbox.model import log_subscription
from emberbox.model.log_subscription import lambda_events


def unpacked(payload):
    return json.loads(gzip.decompress(b64decode(json.loads(payload)["awslogs"]["data"])))


@pytest.mark.parametrize("most", [1, 700, 3_000, 1_000_000])
def test_events_are_parted_without_loss(monkeypatch, most):
    """Each piece is within the bound or a single event; together they are what came."""
    monkeypatch.setattr(log_subscription, "EVENT_MAX_BYTES", most)
    chance = random.Random(1)
    events = [(f"{n:056d}", n, chance.randbytes(100).hex()) for n in range(50)]
    payloads = list(lambda_events("1", "g", "s", "f", events))

    sent = [unpacked(payload)["logEvents"] for payload in payloads]
    assert all(
        len(payload) <= most or len(part) == 1 for payload, part in zip(payloads, sent, strict=True)
    )
    assert [(e["id"], e["timestamp"], e["message"]) for part in sent for e in part] == events


def test_nothing_makes_no_event():
    """A function is not woken for nothing."""
    assert list(lambda_events("1", "g", "s", "f", [])) == []
