"""Plain HTTP beside the AWS protocols."""

import json

import pytest
from gateway_asgi import Connection, authorization, call, gateway, http_scope

from emberbox.errors import CallerError
from emberbox.gateway.pages import PlainResponse

SIGNED = {"authorization": authorization("lambda")}


async def test_pages_are_served_by_the_longest_prefix():
    """With the request as it came."""
    seen = []

    def page(name):
        async def show(request):
            seen.append((name, request))
            return PlainResponse(201, [("x-page", name)], b"page")

        return show

    app = gateway(pages={"/_emberbox/code/": page("code"), "/_emberbox/": page("all")})
    answer = await call(app, "POST", "/_emberbox/code/a%2Fb?q=1", {"x-a": "b"}, b"body")

    ((name, request),) = seen
    assert (answer.status, answer.body, answer.headers["x-page"]) == (201, b"page", "code")
    assert (name, request.method, request.raw_path) == ("code", "POST", "/_emberbox/code/a%2Fb")
    assert (request.query, request.body, request.client) == ("q=1", b"body", "192.0.2.1")
    assert ("x-a", "b") in request.headers
    assert request.endpoint == "http://127.0.0.1:4566"


async def _named(request):
    return PlainResponse(200, [], request.raw_path.encode())


async def test_pages_outside_our_prefix_yield_to_signed_requests():
    """API Gateway's /v2/apis and the Docker registry's /v2/ share a prefix."""
    app = gateway(pages={"/v2/": _named})

    registry = await call(app, "GET", "/v2/")
    api = await call(app, "GET", "/v2/apis", {"authorization": authorization("apigateway")})

    assert (registry.status, registry.body) == (200, b"/v2/")
    assert api.status == 501


@pytest.mark.parametrize("headers", [{}, SIGNED])
async def test_a_function_url_is_known_by_its_host(headers):
    """Signed or not: IAM-authorised URLs sign as lambda."""
    app = gateway(fronts={"lambda-url": _named})
    host = {"host": "abc.lambda-url.eu-west-1.localhost:4566", **headers}

    answer = await call(app, "GET", "/any/path", host)

    assert answer.body == b"/any/path"


async def test_connections_of_an_api_are_managed_by_the_service():
    """On the same host name as the API's own requests."""
    app = gateway(fronts={"execute-api": _named})
    headers = {
        "host": "abc.execute-api.eu-west-1.localhost:4566",
        "authorization": authorization("execute-api"),
    }

    answer = await call(app, "DELETE", "/prod/@connections/x", headers)

    assert answer.status == 501
    assert b"DeleteConnection" in answer.body


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (CallerError("X", "no such code", status=404), 404, "no such code"),
        (RuntimeError("secret"), 500, "Internal Server Error"),
    ],
)
async def test_a_page_that_fails_answers_plainly(error, status, text):
    """Callers hear of their errors, nobody hears of ours."""

    async def page(_request):
        raise error

    answer = await call(gateway(pages={"/_emberbox/x": page}), "GET", "/_emberbox/x")

    assert answer.status == status
    assert json.loads(answer.body) == {"message": text}


async def test_a_page_s_request_has_a_limit():
    """Ten megabytes, as API Gateway has it."""
    app = gateway(pages={"/_emberbox/x": _named})

    answer = await call(app, "POST", "/_emberbox/x", {"content-length": str(11 << 20)}, [])

    assert answer.status == 413


async def test_repeated_headers_are_joined():
    """As HTTP has it."""
    seen = []

    async def page(request):
        seen.extend(value for name, value in request.headers if name == "x-a")
        return PlainResponse()

    scope = http_scope("GET", "http://127.0.0.1:4566/_emberbox/x", {})
    scope["headers"] += [(b"x-a", b"1"), (b"x-a", "é".encode("latin-1"))]
    connection = Connection()
    await gateway(pages={"/_emberbox/x": page})(scope, connection.receive, connection.send)

    assert seen == ["1", "é"]
