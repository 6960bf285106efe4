"""An invocation of nothing, to see what of its memory a process writes to in one.

It goes through everything but the function: a connection, an event, its answer.
"""

import socket

from emberbox_bootstrap.client import RuntimeClient

_REQUEST_ID = "00000000-0000-0000-0000-000000000000"
_EVENT = (
    "HTTP/1.1 200 OK\r\n"
    "lambda-runtime-aws-request-id: %s\r\n"
    "lambda-runtime-deadline-ms: 0\r\n"
    "lambda-runtime-invoked-function-arn: arn:aws:lambda:\r\n"
    "lambda-runtime-trace-id: Root=1-0-0;Parent=0;Sampled=0\r\n"
    "content-length: 12\r\n\r\n"
    '{"key": "v"}' % _REQUEST_ID
).encode()
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"


def rehearse(run_one):
    """Run one invocation, whose answer nobody hears."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind("")
        listening.listen(1)
        client = RuntimeClient("", "@" + listening.getsockname()[1:].decode("ascii"))
        platform, _ = listening.accept()
        with platform:
            platform.sendall(_EVENT + _ACCEPTED + _EVENT)
            run_one(client, _answer, client.next(), _REQUEST_ID)
            client.close()


def _answer(event, context):
    return {"key": [event, context.get_remaining_time_in_millis()]}
