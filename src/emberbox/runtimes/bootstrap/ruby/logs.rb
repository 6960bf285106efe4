# frozen_string_literal: true

# What AWS's runtime adds to a logger's lines: the request they belong to.
class LambdaFormatter < Logger::Formatter
  def call(severity, time, progname, message)
    format("%<letter>s, [%<time>s #%<pid>d] %<severity>5s %<request>s -- %<name>s: %<text>s\n",
           letter: severity[0], time: time.strftime("%Y-%m-%dT%H:%M:%S.%6N"), pid: Process.pid,
           severity: severity, request: Emberbox::Logs.request_id, name: progname,
           text: msg2str(message))
  end
end

# A logger's line as a JSON object, for logs of that format.
class LambdaJsonFormatter < Logger::Formatter
  def call(severity, time, progname, message)
    line = Emberbox::Logs.record(severity, time, text_of(message))
    line["logger"] = clean(progname) unless progname.to_s.empty?
    line.update(fields_of(message)) if message.is_a?(Exception)
    "#{JSON.generate(line.compact)}\n"
  end

  private

  def text_of(message)
    clean(message.is_a?(Exception) ? message.message : msg2str(message))
  end

  def fields_of(error)
    frames = (error.backtrace || []).map { |frame| clean(frame) }
    file, number, method = frames.first&.match(/\A(.+):(\d+):in [`'](.+)'\z/)&.captures
    {
      "errorType" => error.class.to_s, "errorMessage" => clean(error.message),
      "stackTrace" => frames, "location" => file ? "#{file}:#{method}:#{number}" : frames.first
    }
  end

  def clean(text)
    text.to_s.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub
  end
end

module Emberbox
  # The log of a function: standard output, a logger's lines with their request, failures.
  #
  # Frames on the log channel are those of AWS's managed runtimes: type, length, microseconds, text.
  module Logs
    FRAME_TEXT = 0xa55a0003

    class << self
      attr_accessor :request_id, :tenant_id

      def install(descriptor)
        @is_json = ENV["AWS_LAMBDA_LOG_FORMAT"].to_s.upcase == "JSON"
        @channel = descriptor && IO.for_fd(descriptor.to_i, "wb", autoclose: false)
        @channel&.sync = true
        $stdout.sync = true
        $stderr.sync = true
        use_formatter
      end

      # One event, however many lines.
      def write(text)
        $stdout.flush
        return $stdout.write(text.tr("\n", "\r"), "\n") unless @channel

        body = "#{text}\n".b
        micros = Process.clock_gettime(Process::CLOCK_REALTIME, :microsecond)
        @channel.write([FRAME_TEXT, body.bytesize, micros].pack("NNQ>") + body)
      end

      # What went wrong, as AWS words it.
      def failure(title, failure)
        return write("#{title}: #{JSON.generate(failure.payload)}") unless @is_json

        write(JSON.generate(record("ERROR", Time.now, title).compact.merge(failure.payload)))
      end

      # What each line of a log of JSON format has.
      def record(severity, time, message)
        {
          "timestamp" => time.getutc.strftime("%Y-%m-%dT%H:%M:%S.%6NZ"), "level" => severity,
          "message" => message, "requestId" => request_id, "tenantId" => tenant_id
        }
      end

      private

      # Loggers that write to the function's log have AWS's formatter if they are given none, and,
      # in a log of JSON format, the function's level.
      def use_formatter
        formatter = @is_json ? LambdaJsonFormatter : LambdaFormatter
        defaults = @is_json ? { level: level } : {}
        Logger.prepend(Module.new do
          define_method(:initialize) do |device = nil, *others, **options|
            device ||= $stdout
            if [$stdout, $stderr].include?(device)
              options = { **defaults, formatter: formatter.new, **options.compact }
            end
            super(device, *others, **options)
          end
        end)
      end

      # Ruby's loggers have no level below DEBUG.
      def level
        name = ENV["AWS_LAMBDA_LOG_LEVEL"].to_s.downcase
        %w[debug info warn error fatal].include?(name) ? name : "debug"
      end
    end
  end
end
