# frozen_string_literal: true

module Emberbox
  # A failure as AWS reports it: error type, message, stack trace without frames of this runtime.
  class Failure
    OWN = __dir__

    attr_reader :payload, :wire_type

    # What was raised while the handler was loaded.
    def self.of_init(error)
      new(error, "Init")
    end

    # What a handler raised, or what became of its result.
    def self.of_invocation(error)
      new(error, "Function")
    end

    def initialize(error, kind)
      frames = (error.backtrace || []).reject { |frame| frame.start_with?(OWN) }
      @wire_type = "#{kind}<#{error.class}>".gsub(/[^\x21-\x7e]/, "?")
      @payload = {
        "errorMessage" => text_of(error),
        "errorType" => "#{kind}<#{error.class}>",
        "stackTrace" => frames.map { |frame| clean(frame) }
      }
    end

    private

    def text_of(error)
      # Without what Ruby 3.1 to 3.3 add to the text: the line of source and suggestions.
      clean((error.respond_to?(:original_message) ? error.original_message : error.message).to_s)
    rescue StandardError => second
      "<#{error.class} has no text: #{second.class}>"
    end

    def clean(text)
      text.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub("?")
    end
  end
end
