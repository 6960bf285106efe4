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

module Emberbox
  # The log of a function: standard output, a logger's lines with their request, failures.
  #
  # Frames on the log channel are those of AWS's managed runtimes: type, length, microseconds, text.
  module Logs
    FRAME_TEXT = 0xa55a0003

    class << self
      attr_accessor :request_id

      def install(descriptor)
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
        write("#{title}: #{JSON.generate(failure.payload)}")
      end

      private

      # Loggers that a function makes without a formatter of its own have AWS's.
      def use_formatter
        Logger.prepend(Module.new do
          def initialize(*arguments, **options)
            options[:formatter] ||= LambdaFormatter.new
            super
          end
        end)
      end
    end
  end
end
