# The actions of the conformance suite, in Ruby.

$count = 0

def handler(event:, context:)
  $count += 1
  send("do_#{event['do']}", event, context)
end

def do_return(event, _context)
  { count: $count, event: event }
end

def do_print(_event, _context)
  puts "printed"
end

def do_context(_event, context)
  {
    id: context.aws_request_id,
    name: context.function_name,
    version: context.function_version,
    memory: context.memory_limit_in_mb.to_i,
    arn: context.invoked_function_arn,
    group: context.log_group_name,
    stream: context.log_stream_name,
    remaining: context.get_remaining_time_in_millis,
    custom: context.client_context && context.client_context["custom"]
  }
end

def do_fail(_event, _context)
  raise ArgumentError, "on purpose"
end

def do_exit(event, _context)
  exit(event["status"])
end

def do_die(_event, _context)
  Process.kill("KILL", Process.pid)
  sleep
end

def do_keep(_event, _context)
  File.write("/tmp/kept", "kept")
  sleep(30)
end

def do_branch(event, _context)
  spawn("trap '' TERM; exec setsid sleep #{event['seconds']}")
  sleep(30)
end

def do_look(_event, _context)
  { kept: File.exist?("/tmp/kept"), count: $count }
end

def do_allocate(_event, _context)
  held = []
  loop { held << "x" * (16 << 20) }
end

def do_loop(_event, _context)
  result = {}
  result[:self] = result
end

def do_large(event, _context)
  "x" * event["size"]
end

def do_variables(_event, _context)
  ENV.to_h.merge("cwd" => Dir.pwd)
end
