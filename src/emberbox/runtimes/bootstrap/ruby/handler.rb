# frozen_string_literal: true

module Emberbox
  # Finds the handler: `file.method`, or `file.Module::Class.method` for a class method.
  #
  # Source: "Define Lambda function handler in Ruby" of AWS's guide.
  module Handler
    module_function

    # Something to call with an event and a context.
    def load(name)
      file, *owner, method = name.split(".")
      if file.nil? || method.nil? || owner.length > 1
        raise ArgumentError, "Invalid handler #{name}, must be of form FILENAME.METHOD or " \
                             "FILENAME.CLASS.METHOD where FILENAME corresponds with an existing " \
                             "Ruby source file FILENAME.rb, CLASS is an optional module/class " \
                             "namespace and METHOD is a callable method. If using CLASS, METHOD " \
                             "must be a class-level method."
      end
      $LOAD_PATH.unshift(ENV.fetch("LAMBDA_TASK_ROOT", "/var/task"))
      Kernel.require(file)
      callable(owner.first, method.to_sym)
    end

    def callable(owner, method)
      target = owner ? owner.split("::").inject(Object) { |place, part| place.const_get(part) } : nil
      # Methods of a file without a class are private ones of every object.
      target ||= TOPLEVEL_BINDING.receiver
      unless target.respond_to?(method, true)
        raise NoMethodError, "undefined method '#{method}' for #{owner || 'main:Object'}"
      end

      found = target.method(method)
      ->(event, context) { found.call(event: event, context: context) }
    end
  end
end
