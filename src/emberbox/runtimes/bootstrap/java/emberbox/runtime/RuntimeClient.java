package emberbox.runtime;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * HTTP client of the Runtime API, version 2018-06-01, on one kept connection.
 *
 * <p>The answer to an invocation and the request for the next one leave in a single write: between
 * two invocations the process sleeps in one read.
 */
final class RuntimeClient {
    private static final String BASE = "/2018-06-01/runtime/";
    private static final int CHUNK = 65536;

    private final byte[] next;
    private final InputStream in;
    private final OutputStream out;
    private byte[] buffer = new byte[CHUNK];
    private int begin;
    private int end;

    /** One invocation: lower-case header names, raw body. */
    static final class Request {
        final Map<String, String> headers;
        final byte[] body;

        Request(Map<String, String> headers, byte[] body) {
            this.headers = headers;
            this.body = body;
        }
    }

    RuntimeClient(String address) throws IOException {
        int colon = address.lastIndexOf(':');
        // An address in numbers is not looked up.
        InetAddress host = InetAddress.getByName(address.substring(0, colon));
        Socket socket = new Socket(host, Integer.parseInt(address.substring(colon + 1)));
        socket.setTcpNoDelay(true);
        in = socket.getInputStream();
        out = socket.getOutputStream();
        next = Main.utf8("GET " + BASE + "invocation/next HTTP/1.1\r\nHost: " + address + "\r\n\r\n");
    }

    Request next() throws IOException {
        out.write(next);
        return receiveNext();
    }

    Request respondThenNext(String requestId, byte[] body) throws IOException {
        String path = "invocation/" + requestId + "/response";
        send(head(path, "", body.length), body, next);
        receive();
        return receiveNext();
    }

    Request errorThenNext(String requestId, String type, byte[] body) throws IOException {
        send(head("invocation/" + requestId + "/error", type, body.length), body, next);
        receive();
        return receiveNext();
    }

    void error(String requestId, String type, byte[] body) throws IOException {
        send(head("invocation/" + requestId + "/error", type, body.length), body);
        receive();
    }

    void initError(String type, byte[] body) throws IOException {
        send(head("init/error", type, body.length), body);
        receive();
    }

    private static byte[] head(String path, String errorType, int length) {
        String error =
                errorType.isEmpty()
                        ? ""
                        : "Lambda-Runtime-Function-Error-Type: "
                                + errorType.replaceAll("[^\\x21-\\x7e]", "?")
                                + "\r\n";
        return Main.utf8(
                "POST " + BASE + path + " HTTP/1.1\r\nContent-Type: application/json\r\n" + error
                        + "Content-Length: " + length + "\r\n\r\n");
    }

    private void send(byte[]... parts) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.write(part);
        }
        all.writeTo(out);
    }

    private Request receiveNext() throws IOException {
        Request answer = receive();
        if (!"200".equals(answer.headers.get(""))) {
            throw new IOException("the Runtime API answered " + answer.headers.get(""));
        }
        return answer;
    }

    /** One response; its status stands under the empty name. */
    private Request receive() throws IOException {
        Map<String, String> headers = new HashMap<>();
        String line = readLine();
        headers.put("", line.substring(9, 12));
        while (!(line = readLine()).isEmpty()) {
            int colon = line.indexOf(':');
            headers.put(
                    line.substring(0, colon).toLowerCase(Locale.ROOT),
                    line.substring(colon + 1).trim());
        }
        String length = headers.get("content-length");
        return new Request(headers, readBytes(length == null ? 0 : Integer.parseInt(length)));
    }

    private String readLine() throws IOException {
        int scanned = begin;
        while (true) {
            for (; scanned < end; scanned++) {
                if (buffer[scanned] == '\n') {
                    String line =
                            new String(
                                    buffer, begin, scanned - 1 - begin, StandardCharsets.UTF_8);
                    begin = scanned + 1;
                    return line;
                }
            }
            int seen = scanned - begin;
            fill();
            scanned = begin + seen;
        }
    }

    private byte[] readBytes(int length) throws IOException {
        byte[] bytes = new byte[length];
        int done = Math.min(length, end - begin);
        System.arraycopy(buffer, begin, bytes, 0, done);
        begin += done;
        while (done < length) {
            int more = in.read(bytes, done, length - done);
            if (more < 0) {
                throw new EOFException("the Runtime API closed the connection");
            }
            done += more;
        }
        return bytes;
    }

    private void fill() throws IOException {
        if (begin > 0) {
            System.arraycopy(buffer, begin, buffer, 0, end - begin);
            end -= begin;
            begin = 0;
        }
        if (end == buffer.length) {
            buffer = java.util.Arrays.copyOf(buffer, 2 * end);
        }
        int more = in.read(buffer, end, buffer.length - end);
        if (more < 0) {
            throw new EOFException("the Runtime API closed the connection");
        }
        end += more;
    }
}
