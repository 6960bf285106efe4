"""What calls of the Runtime API look like on the wire, and what is said of them."""

import re

PATH = re.compile(
    rb"/2018-06-01/runtime/(?:"
    rb"(?P<next>invocation/next)"
    rb"|invocation/(?P<id>[^/]{1,128})/(?P<what>response|error)"
    rb"|(?P<init>init/error)"
    rb"|(?P<restored>restore/next)"
    rb"|(?P<restore>restore/error)"
    rb")/?\Z"
)
ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
    b'{"status":"OK"}\n'
)
# What our own runtimes send between two invocations, in one write.
OWN_ANSWER = re.compile(
    rb"POST /2018-06-01/runtime/invocation/([0-9a-f-]{36})/response HTTP/1\.1\r\n"
    rb"Content-Type: application/json\r\nContent-Length: (\d{1,6})\r\n\r\n"
)
OWN_NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
MODE = b"lambda-runtime-function-response-mode"
ERROR_TYPE = b"lambda-runtime-function-error-type"
ERROR_BODY = b"lambda-runtime-function-error-body"
SNAPSHOT = b"emberbox-snapshot"
SNAPSHOT_MAX = 512
OF_EXTENSIONS = (b"/2020-01-01/extension/", b"/2022-07-01/telemetry", b"/2020-08-15/logs")
EXTENSION_BODY_MAX = 65_536
_EXTENSION_HEADERS = frozenset(
    {
        b"lambda-extension-accept-feature",
        b"lambda-extension-function-error-type",
        b"lambda-extension-identifier",
        b"lambda-extension-name",
    }
)
_OF_RUNTIMES = {b"content-type", b"expect", MODE, ERROR_TYPE, ERROR_BODY, SNAPSHOT}
TRACKED = _EXTENSION_HEADERS | _OF_RUNTIMES
