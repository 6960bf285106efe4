package emberbox.runtime;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The log of a function: what its logger is given is one event, however many lines it has.
 *
 * <p>Such events are frames of AWS's managed runtimes: type, length, microseconds, text. They go out
 * on standard output, which the platform reads as one channel with them.
 */
public final class FunctionLog implements LambdaLogger {
    private static final int TEXT_FRAME = 0xa55a0003;
    private static final int JSON_FRAME = 0xa55a0002;
    private static final int HEADER_BYTES = 16;

    private static final OutputStream CHANNEL = new FileOutputStream(FileDescriptor.out);
    private static boolean isJson;
    private static LogLevel least = LogLevel.UNDEFINED;
    private static String requestId;
    private static String tenantId;

    static void configure(Map<String, String> environment) {
        isJson = "JSON".equalsIgnoreCase(environment.get("AWS_LAMBDA_LOG_FORMAT"));
        String level = environment.get("AWS_LAMBDA_LOG_LEVEL");
        least = level == null || !isJson ? LogLevel.UNDEFINED : LogLevel.fromString(level);
    }

    static void setRequest(String id, String tenant) {
        requestId = id;
        tenantId = tenant;
    }

    static void failure(Failure failure) {
        new FunctionLog().log(failure.inLog(), LogLevel.ERROR);
    }

    @Override
    public void log(String message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message) {
        write(message == null ? Main.utf8("null") : message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(String message, LogLevel level) {
        if (level.ordinal() < least.ordinal() && level != LogLevel.UNDEFINED) {
            return;
        }
        write(Main.utf8(isJson ? asJson(message, level) : String.valueOf(message)), level);
    }

    @Override
    public void log(byte[] message, LogLevel level) {
        log(message == null ? null : new String(message, StandardCharsets.UTF_8), level);
    }

    private static String asJson(String message, LogLevel level) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("timestamp", Instant.now().toString());
        line.put("level", level.name());
        line.put("message", message);
        line.put("AWSRequestId", requestId);
        line.put("tenantId", tenantId);
        return new String(JsonWriter.write(line), StandardCharsets.UTF_8) + "\n";
    }

    private static synchronized void write(byte[] text, LogLevel level) {
        System.out.flush();
        ByteBuffer frame = ByteBuffer.allocate(HEADER_BYTES + text.length);
        frame.putInt((isJson ? JSON_FRAME : TEXT_FRAME) | level.ordinal() << 2);
        frame.putInt(text.length).putLong(System.currentTimeMillis() * 1000).put(text);
        try {
            CHANNEL.write(frame.array());
        } catch (IOException e) {
            System.out.write(text, 0, text.length);
        }
    }
}
