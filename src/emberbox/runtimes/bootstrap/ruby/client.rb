# frozen_string_literal: true

module Emberbox
  # One invocation as the Runtime API delivered it: lower-case header names, raw body.
  Request = Struct.new(:headers, :body)

  # HTTP client of the Runtime API, version 2018-06-01, on one kept connection.
  #
  # The answer to an invocation and the request for the next one leave in a single write: between
  # two invocations the process sleeps in one read.
  class Client
    BASE = "/2018-06-01/runtime/"
    HEAD_END = "\r\n\r\n"
    CHUNK = 65_536

    # To host:port, or to an abstract Unix socket (@name) where the platform has one.
    def initialize(address, socket_name)
      @next = "GET #{BASE}invocation/next HTTP/1.1\r\nHost: #{address}\r\n\r\n"
      @buffer = String.new(encoding: Encoding::BINARY)
      named = socket_name.to_s.start_with?("@")
      @socket = named ? UNIXSocket.new("\0#{socket_name[1..]}") : tcp(address)
    end

    # Wait for an invocation.
    def next
      write(@next)
      receive_next
    end

    # Answer an invocation and wait for the next.
    def response_then_next(request_id, content_type, body)
      write("POST #{BASE}invocation/#{request_id}/response HTTP/1.1\r\n" \
            "Content-Type: #{content_type}\r\nContent-Length: #{body.bytesize}\r\n\r\n".b +
            body.b + @next)
      receive
      receive_next
    end

    # Report a failed invocation and wait for the next.
    def error_then_next(request_id, failure)
      write(failed("invocation/#{request_id}/error", failure) + @next)
      receive
      receive_next
    end

    # Report that the function cannot be initialised; the platform may end us at once.
    def init_error(failure)
      write(failed("init/error", failure))
      receive
    rescue SystemCallError, IOError
      nil
    end

    private

    def tcp(address)
      host, port = address.split(":")
      socket = TCPSocket.new(host, port)
      socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
      socket
    end

    def failed(path, failure)
      body = JSON.generate(failure.payload)
      "POST #{BASE}#{path} HTTP/1.1\r\nContent-Type: application/json\r\n" \
        "Lambda-Runtime-Function-Error-Type: #{failure.wire_type}\r\n" \
        "Content-Length: #{body.bytesize}\r\n\r\n".b + body.b
    end

    def write(data)
      @socket.write(data)
      @socket.flush
    end

    def receive_next
      status, headers, body = receive
      abort("the Runtime API answered #{status}: #{body}") if status != 200
      Request.new(headers, body.force_encoding(Encoding::UTF_8))
    end

    def receive
      @buffer << @socket.readpartial(CHUNK) until (stop = @buffer.index(HEAD_END))
      lines = @buffer.slice!(0, stop + HEAD_END.length).split("\r\n")
      headers = lines.drop(1).to_h do |line|
        name, value = line.split(": ", 2)
        [name.downcase, value.force_encoding(Encoding::UTF_8)]
      end
      length = headers["content-length"].to_i
      @buffer << @socket.readpartial([CHUNK, length - @buffer.length].max) while @buffer.length < length
      [lines.first[9, 3].to_i, headers, @buffer.slice!(0, length)]
    rescue EOFError
      abort("the Runtime API closed the connection")
    end
  end
end
