package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The actions of the conformance suite, in Java. */
public class Actions implements RequestHandler<Map<String, Object>, Object> {
    private static final Path KEPT = Paths.get("/tmp/kept");
    private static int count;

    @Override
    public Object handleRequest(Map<String, Object> event, Context context) {
        count++;
        try {
            return act((String) event.get("do"), event, context);
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new RuntimeException(e);
        }
    }

    private static Object act(String action, Map<String, Object> event, Context context)
            throws Exception {
        Map<String, Object> told = new LinkedHashMap<>();
        switch (action) {
            case "return":
                told.put("count", count);
                told.put("event", event);
                return told;
            case "print":
                System.out.println("printed");
                return null;
            case "context":
                return describe(context);
            case "fail":
                throw new IllegalStateException("on purpose");
            case "exit":
                System.exit((Integer) event.get("status"));
                return null;
            case "die":
                String self = Paths.get("/proc/self").toRealPath().getFileName().toString();
                new ProcessBuilder("kill", "-KILL", self).start().waitFor();
                return null;
            case "keep":
                Files.write(KEPT, new byte[] {1});
                Thread.sleep(30000);
                return null;
            case "branch":
                String deaf = "trap '' TERM; exec setsid sleep " + event.get("seconds");
                new ProcessBuilder("sh", "-c", deaf).start();
                Thread.sleep(30000);
                return null;
            case "look":
                told.put("kept", Files.exists(KEPT));
                told.put("count", count);
                return told;
            case "allocate":
                List<byte[]> held = new ArrayList<>();
                while (true) {
                    held.add(new byte[16 << 20]);
                }
            case "loop":
                told.put("self", told);
                return told;
            case "large":
                return new String(new char[(Integer) event.get("size")]).replace('\0', 'x');
            case "variables":
                told.putAll(System.getenv());
                told.put("cwd", System.getProperty("user.dir"));
                told.put("_X_AMZN_TRACE_ID", System.getProperty("com.amazonaws.xray.traceHeader"));
                return told;
            default:
                throw new IllegalArgumentException(action);
        }
    }

    private static Object describe(Context context) {
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("id", context.getAwsRequestId());
        told.put("name", context.getFunctionName());
        told.put("version", context.getFunctionVersion());
        told.put("memory", context.getMemoryLimitInMB());
        told.put("arn", context.getInvokedFunctionArn());
        told.put("group", context.getLogGroupName());
        told.put("stream", context.getLogStreamName());
        told.put("remaining", context.getRemainingTimeInMillis());
        told.put("custom", context.getClientContext() == null ? null : context.getClientContext().getCustom());
        return told;
    }
}
