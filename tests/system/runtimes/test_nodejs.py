"""Node.js functions: modules of both kinds, handlers of all kinds, the console, and failures."""

import json
import re

import pytest
from languages import NODEJS

pytestmark = pytest.mark.skipif(bool(NODEJS.lacks()), reason=NODEJS.lacks())
ESM = "import { strict as assert } from 'node:assert'; const x = await Promise.resolve(7);\n"
SOURCES = {
    "mjs": ("f.handler", {"f.mjs": f"{ESM}export const handler = async () => x;"}),
    "type module": (
        "f.handler",
        {
            "f.js": f"{ESM}export const handler = async () => x;",
            "package.json": '{"type": "module"}',
        },
    ),
    "cjs": (
        "f.handler",
        {"f.cjs": "exports.handler = async () => 7;", "package.json": '{"type": "module"}'},
    ),
    "nested": ("dir/sub/f.a.b", {"dir/sub/f.js": "exports.a = { b: async () => 7 };"}),
    "folder": ("f.handler", {"f/index.js": "exports.handler = async () => 7;"}),
    "package": (
        "f.handler",
        {
            "f.js": "exports.handler = require('own').handler;",
            "node_modules/own/index.js": "exports.handler = async () => 7;",
        },
    ),
}


@pytest.fixture
def node(boto, functions):
    """Runs source code as f.js, or files, once: the answer, with its log."""

    def run(source, event=None, runtime="nodejs20.x", handler="f.handler", **configuration):
        files = {"f.js": source} if isinstance(source, str) else source
        key = ("node", runtime, handler, json.dumps([files, configuration]))
        name = functions(key, runtime, handler, files, **configuration)
        return boto.invoke(name, json.dumps(event or {}).encode(), LogType="Tail")

    return run


@pytest.mark.parametrize("kind", SOURCES)
def test_modules_of_both_kinds_load(node, kind):
    """CommonJS and ES modules by suffix and package.json, top-level await, folders, packages."""
    handler, files = SOURCES[kind]

    assert node(files, handler=handler).json() == 7


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("(event, context, callback) => callback(null, 7)", 7),
        ("(event, context, callback) => setTimeout(() => callback(null, 7), 5)", 7),
        ("(event, context) => context.succeed(7)", 7),
        ("(event, context) => context.done(null, 7)", 7),
        ("(event, context) => 7", None),
        ("async () => undefined", None),
        ("() => new Promise(() => {})", None),
        ("() => ({ then: (resolve) => resolve(7) })", 7),
    ],
)
def test_handlers_answer_as_they_may(node, source, result):
    """By callback, by the context, by a promise; an empty loop without an answer is null."""
    assert node(f"exports.handler = {source};").json() == result


def test_a_callback_waits_for_the_empty_loop_unless_told_otherwise(node):
    """What still runs is waited for; with callbackWaitsForEmptyEventLoop = false it is not."""
    source = """
        exports.handler = (event, context, callback) => {
          if (event.hurry) context.callbackWaitsForEmptyEventLoop = false;
          setTimeout(() => console.log('later'), 200);
          callback(null, context.callbackWaitsForEmptyEventLoop);
        };
    """

    patient, hurried = node(source), node(source, {"hurry": True})

    assert patient.json() is True
    assert "INFO\tlater\nEND" in patient.log
    assert hurried.json() is False
    assert "later" not in hurried.log


def test_callbacks_end_with_node_24(node):
    """A handler that declares one is refused at INIT, with AWS's error."""
    failed = node("exports.handler = (event, context, callback) => {};", runtime="nodejs24.x")

    assert failed.json()["errorType"] == "Runtime.CallbackHandlerDeprecated"
    source = "exports.handler = async (event, context) => Object.keys(context);"
    assert "succeed" in node(source).json()
    assert "succeed" not in node(source, runtime="nodejs24.x").json()


@pytest.mark.parametrize(
    ("source", "error_type", "message"),
    [
        ("async () => { throw 'text'; }", "string", "text"),
        (
            "async () => { setTimeout(() => { throw new EvalError('x'); }, 1); await new Promise("
            "(r) => setTimeout(r, 1000)); }",
            "EvalError",
            "x",
        ),
        (
            "async () => { Promise.reject(new Error('x')); await new Promise("
            "(r) => setTimeout(r, 1000)); }",
            "Runtime.UnhandledPromiseRejection",
            "Error: x",
        ),
        ("(event, context, callback) => callback('text')", "string", "text"),
        ("(event, context) => context.fail(new TypeError('x'))", "TypeError", "x"),
    ],
)
def test_failures_of_all_kinds_are_told(node, source, error_type, message):
    """Thrown values, uncaught exceptions, rejections nobody handles; AWS's types and payload."""
    told = node(f"exports.handler = {source};").json()

    assert (told["errorType"], told["errorMessage"]) == (error_type, message)
    assert set(told) == {"errorType", "errorMessage", "trace"}


def test_the_console_writes_awss_lines(node):
    """Time, request, level and text, tab by tab; an error with its stack; levels by method."""
    answer = node(
        """
        exports.handler = async () => {
          for (const m of ['trace', 'debug', 'info', 'log', 'warn', 'error']) console[m]('%s', m);
          console.log('two\\nlines');
        };
        """
    )

    lines = re.findall(r"^(\S+Z)\t(\S+)\t(\w+)\t(\w+)$", answer.log, re.MULTILINE)
    assert {line[1] for line in lines} == {answer.request_id}
    assert [line[2:] for line in lines] == [
        ("TRACE", "trace"),
        ("DEBUG", "debug"),
        ("INFO", "info"),
        ("INFO", "log"),
        ("WARN", "warn"),
        ("ERROR", "error"),
        ("INFO", "two"),
    ]


def test_the_console_writes_json_if_it_is_asked_to(node):
    """AWS_LAMBDA_LOG_FORMAT=JSON: objects with time, level, request and message, errors apart."""
    answer = node(
        """
        exports.handler = async () => {
          console.debug('not heard');
          console.info({ own: [1] });
          console.warn('%s and', 'text', new TypeError('bad'));
        };
        """,
        Environment={
            "Variables": {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"}
        },
    )

    info, warn = (json.loads(line) for line in answer.log.splitlines() if line.startswith("{"))
    assert (info["level"], info["message"]) == ("INFO", {"own": [1]})
    assert info["requestId"] == answer.request_id
    assert warn["message"].startswith("text and TypeError: bad")
    assert (warn["errorType"], warn["errorMessage"]) == ("TypeError", "bad")
    assert warn["stackTrace"][1].startswith("    at exports.handler (/var/task/f.js")


def test_the_global_can_be_switched_off(node):
    """AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA: some want no such name."""
    source = "exports.handler = async () => typeof awslambda;"
    variables = {"AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA": "1"}

    assert node(source).json() == "object"
    assert node(source, Environment={"Variables": variables}).json() == "undefined"


def test_source_maps_are_heeded(node):
    """NODE_OPTIONS=--enable-source-maps: the trace names the original file."""
    mappings = json.dumps({"version": 3, "sources": ["origin.ts"], "names": [], "mappings": "AAAA"})
    source = (
        "exports.handler = async () => { throw new Error('x'); };\n//# sourceMappingURL=f.js.map"
    )

    failed = node(
        {"f.js": source, "f.js.map": mappings},
        Environment={"Variables": {"NODE_OPTIONS": "--enable-source-maps"}},
    )

    assert any("/var/task/origin.ts:1" in line for line in failed.json()["trace"])


def test_addresses_of_layers_are_known(node):
    """NODE_PATH names the folders of layers for the version that was asked for."""
    source = "exports.handler = async () => process.env.NODE_PATH;"

    path = node(source, runtime="nodejs22.x").json()

    assert path.startswith("/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:")


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("f.mjs", "import own from 'own'; export const handler = async () => own;"),
        ("f.js", "const own = require('own'); exports.handler = async () => own;"),
    ],
)
def test_packages_in_node_path_are_found(node, file, source):
    """By require as in any Node.js, and by import as on AWS."""
    files = {file: source, "more/node_modules/own/index.js": "module.exports = 7;"}
    variables = {"NODE_PATH": "/var/task/more/node_modules"}

    assert node(files, Environment={"Variables": variables}).json() == 7
