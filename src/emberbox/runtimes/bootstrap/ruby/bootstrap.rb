# frozen_string_literal: true

# Emberbox's Ruby runtime: turns invocations of the Runtime API into calls of a handler.
#
# Started in one of two ways: with `--wait` it is up before its function is known, and reads from
# descriptor 4 which one it will be; else its environment tells. Ruby's standard library alone is
# used. Follows AWS's custom-runtime guide and the behaviour of AWS's own Ruby client.

require "json"
require "logger"
require "socket"
require "stringio"
require "time"

$LOAD_PATH.unshift(__dir__)
require "client"
require "context"
require "failures"
require "handler"
require "logs"

module Emberbox
  LAUNCH_DESCRIPTOR = 4

  # The program.
  module Runtime
    module_function

    def main
      become(JSON.parse(read_launch)) if ARGV == ["--wait"]
      ARGV.clear
      environment = ENV
      Logs.install(environment.delete("_LAMBDA_TELEMETRY_LOG_FD"))
      client = Client.new(
        environment["AWS_LAMBDA_RUNTIME_API"], environment.delete("_EMBERBOX_RUNTIME_SOCKET")
      )
      serve(client, load_handler(client))
    end

    def read_launch
      text = IO.new(LAUNCH_DESCRIPTOR).read
      exit!(0) if text.empty? # the sandbox was not needed after all
      text
    end

    def become(launch)
      ENV.replace(launch["environment"])
      Dir.chdir("/var/task")
      # What these name was read by Ruby when it started.
      Gem.clear_paths if defined?(Gem)
      ENV.fetch("RUBYLIB", "").split(":").reverse_each { |place| $LOAD_PATH.unshift(place) }
    end

    def load_handler(client)
      Handler.load(ENV.fetch("_HANDLER", ""))
    rescue Exception => error # rubocop:disable Lint/RescueException
      raise if error.is_a?(SystemExit)

      failure = Failure.of_init(error)
      Logs.failure("Init error when loading handler #{ENV.fetch('_HANDLER', '')}", failure)
      client.init_error(failure)
      exit!(1)
    end

    def serve(client, handler)
      request = client.next
      loop { request = run_one(client, handler, request) }
    end

    def run_one(client, handler, request)
      context = Context.new(request.headers)
      Logs.request_id = context.aws_request_id
      Logs.tenant_id = context.tenant_id
      set_trace(request.headers["lambda-runtime-trace-id"])
      begin
        body = answer(handler, request, context)
      rescue Exception => error # rubocop:disable Lint/RescueException
        raise if error.is_a?(SystemExit) || error.is_a?(SignalException)

        failure = Failure.of_invocation(error)
        Logs.failure("Error raised from handler method", failure)
        return client.error_then_next(context.aws_request_id, failure)
      end
      client.response_then_next(context.aws_request_id, *body)
    ensure
      $stdout.flush
    end

    # Content type and body of what the handler gave.
    def answer(handler, request, context)
      event = JSON.parse(request.body)
      result = handler.call(event, context)
      $stdout.flush
      return ["application/unknown", result.read] if result.is_a?(StringIO)

      ["application/json", JSON.generate(result)]
    end

    def set_trace(trace)
      trace ? ENV["_X_AMZN_TRACE_ID"] = trace : ENV.delete("_X_AMZN_TRACE_ID")
    end
  end
end

Emberbox::Runtime.main
