"""What PutEvents has answered for comes to its target, whatever is killed."""

import pytest
from test_message_recovery import client, crashed, drained

from tools.running import running


@pytest.mark.slow
def test_acknowledged_events_come_to_their_target(tmp_path):
    """Servers are killed amid PutEvents; each event that was answered for is in the queue."""
    data = tmp_path / "data"
    with running(data, tmp_path / "log") as server:
        events = client("events", server.url)
        client("sqs", server.url).create_queue(QueueName="kept-events")
        events.put_rule(Name="kept", EventPattern='{"source": ["kept"]}')
        target = {
            "Id": "q",
            "Arn": "arn:aws:sqs:us-east-1:123456789012:kept-events",
            "InputPath": "$.detail.n",
        }
        events.put_targets(Rule="kept", Targets=[target])

    def make_sends(url):
        def send(number):
            entry = {"Source": "kept", "DetailType": "d", "Detail": f'{{"n": {number}}}'}
            told = client_of.put_events(Entries=[entry])
            assert told["FailedEntryCount"] == 0

        client_of = client("events", url)
        return [send] * 3

    sent = crashed(tmp_path, data, make_sends)
    with running(data, tmp_path / "last") as server:
        sqs = client("sqs", server.url)
        url = sqs.get_queue_url(QueueName="kept-events")["QueueUrl"]
        assert set(sent) <= set(drained(sqs, url, set(sent)))
