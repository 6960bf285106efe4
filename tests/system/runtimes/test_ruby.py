"""Ruby functions: class methods as handlers, loggers, results of other kinds."""

import json

import pytest
from languages import RUBY

pytestmark = pytest.mark.skipif(bool(RUBY.lacks()), reason=RUBY.lacks())
SOURCE = """
require "logger"
require "stringio"
require "helper"

module Outer
  class Inner
    def self.act(event:, context:)
      [event, HELP, context.function_name]
    end
  end
end

def log(event:, context:)
  Logger.new($stdout).warn("two\\nlines")
end

def raw(event:, context:)
  StringIO.new("not json")
end

def trace(event:, context:)
  ENV["_X_AMZN_TRACE_ID"]
end
"""
FILES = {"app/f.rb": SOURCE, "helper.rb": "HELP = 7"}


@pytest.fixture
def ruby(boto, functions):
    """Invokes one of the handlers."""

    def run(handler, event=None):
        name = functions(("ruby", handler), "ruby3.4", handler, FILES)
        return boto.invoke(name, json.dumps(event).encode(), LogType="Tail")

    return run


def test_a_class_method_may_be_the_handler(ruby):
    """file.Module::Class.method, in a folder, with files of the package at hand."""
    event, helped, name = ruby("app/f.Outer::Inner.act", {"a": [1]}).json()

    assert (event, helped) == ({"a": [1]}, 7)
    assert name.startswith("runtime-")


def test_loggers_tell_the_request(ruby):
    """A logger's line has level, process and request id, as AWS's."""
    answer = ruby("app/f.log")

    assert f"  WARN {answer.request_id} -- : two\nlines\n" in answer.log


def test_a_stream_is_passed_as_it_is(ruby):
    """A StringIO is no JSON and is not made any."""
    assert ruby("app/f.raw").payload == b"not json"


def test_the_trace_is_in_the_environment(ruby):
    """_X_AMZN_TRACE_ID is set for each invocation."""
    assert ruby("app/f.trace").json().startswith("Root=1-")
