package emberbox.runtime;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * Emberbox's Java runtime: turns invocations of the Runtime API into calls of a handler.
 *
 * <p>Compiled on the host for Java 8 and later; nothing but the JDK is used. Follows AWS's
 * custom-runtime guide and the behaviour of AWS's own Java client.
 */
public final class Main {
    private static final int EXIT_INIT = 1;

    private Main() {}

    /**
     * The program; its argument is the folder of the layers. With `rehearse` it runs all of its
     * parts once, for a class data archive.
     */
    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 0 && arguments[0].equals("rehearse")) {
            Rehearsal.run();
            return;
        }
        String layers = arguments.length > 0 ? arguments[0] : "/opt";
        Map<String, String> environment = System.getenv();
        FunctionLog.configure(environment);
        RuntimeClient client = new RuntimeClient(environment.get("AWS_LAMBDA_RUNTIME_API"));
        FunctionHandler handler = load(environment, layers, client);
        serve(client, handler, environment);
    }

    private static FunctionHandler load(
            Map<String, String> environment, String layers, RuntimeClient client)
            throws IOException {
        try {
            ClassLoader loader = FunctionLoader.of(environment.get("LAMBDA_TASK_ROOT"), layers);
            Thread.currentThread().setContextClassLoader(loader);
            return FunctionHandler.find(environment.get("_HANDLER"), loader);
        } catch (Throwable error) {
            Failure failure = Failure.of(error);
            FunctionLog.failure(failure);
            client.initError(failure.type(), failure.json());
            System.exit(EXIT_INIT);
            throw new AssertionError(error);
        }
    }

    private static void serve(
            RuntimeClient client, FunctionHandler handler, Map<String, String> environment)
            throws IOException {
        RuntimeClient.Request request = client.next();
        while (true) {
            InvocationContext context = new InvocationContext(request.headers, environment);
            FunctionLog.setRequest(context.getAwsRequestId(), context.getTenantId());
            String trace = request.headers.get("lambda-runtime-trace-id");
            if (trace != null) {
                System.setProperty("com.amazonaws.xray.traceHeader", trace);
            } else {
                System.clearProperty("com.amazonaws.xray.traceHeader");
            }
            byte[] answer = null;
            Failure failure = null;
            try {
                answer = handler.handle(request.body, context);
            } catch (Throwable error) {
                failure = Failure.of(error);
                FunctionLog.failure(failure);
            }
            System.out.flush();
            System.err.flush();
            if (failure == null) {
                request = client.respondThenNext(context.getAwsRequestId(), answer);
            } else if (failure.isFatal()) {
                client.error(context.getAwsRequestId(), failure.type(), failure.json());
                System.exit(EXIT_INIT);
            } else {
                request =
                        client.errorThenNext(
                                context.getAwsRequestId(), failure.type(), failure.json());
            }
        }
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
