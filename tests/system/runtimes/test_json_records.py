"""Logs of JSON format: what the loggers of each language write are objects of the wanted level."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from languages import JAVA, NODEJS, RUBY, Column, java

NODE = """
exports.handler = async () => {
  console.info('too little');
  console.warn('two\\nlines');
  throw new RangeError('on purpose');
};
"""
IN_RUBY = """
require "logger"
def handler(event:, context:)
  logger = Logger.new($stdout)
  logger.info("too little")
  logger.warn("two\\nlines")
  logger.error(ArgumentError.new("caught"))
  puts "plain"
  raise ArgumentError, "on purpose"
end
"""


@dataclass(frozen=True)
class Case:
    """A function of one language, and the name it has for the request in its records."""

    language: Column
    runtime: str
    handler: str
    files: Callable[[], dict]
    request: str = "requestId"


CASES = {
    "nodejs": Case(NODEJS, "nodejs22.x", "f.handler", lambda: {"f.js": NODE}),
    "java": Case(JAVA, "java21", "example.Shapes::levels", java("Shapes.java"), "AWSRequestId"),
    "ruby": Case(RUBY, "ruby3.3", "f.handler", lambda: {"f.rb": IN_RUBY}),
}


@pytest.mark.parametrize("name", CASES)
def test_loggers_write_objects_of_the_wanted_level(boto, functions, name):
    """With time, level, message and request; what is below the function's level is not written."""
    case = CASES[name]
    if lacks := case.language.lacks():
        pytest.skip(lacks)
    log = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "SystemLogLevel": "WARN"}
    settings = {"LoggingConfig": log}
    function = functions((name, "json"), case.runtime, case.handler, case.files(), **settings)

    answer = boto.invoke(function, b"{}", LogType="Tail")

    lines = answer.log.splitlines()
    records = [json.loads(line) for line in lines if line.startswith("{")]
    mine = [record for record in records if case.request in record]
    warned = next(record for record in mine if record["message"] == "two\nlines")
    assert (warned["level"], warned[case.request]) == ("WARN", answer.request_id)
    assert warned["timestamp"].endswith("Z")
    assert "too little" not in answer.log
    failed = next(line for line in lines if "on purpose" in line)
    assert json.loads(failed)["level"] == "ERROR"
    if name == "ruby":
        assert [line for line in lines if not line.startswith("{")] == ["plain"]
        caught = next(record for record in mine if record["message"] == "caught")
        assert (caught["errorType"], caught["errorMessage"]) == ("ArgumentError", "caught")
