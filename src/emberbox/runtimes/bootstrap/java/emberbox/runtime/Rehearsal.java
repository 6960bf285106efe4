package emberbox.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;

/** Runs the parts of the runtime once, so that an archive of class data has their classes. */
final class Rehearsal {
    private Rehearsal() {}

    /** A handler to call. */
    public static final class Sample {
        private String text;

        public String getText() {
            return text;
        }

        public void setText(String text) {
            this.text = text;
        }

        public Map<String, Object> handle(Sample sample, Context context) {
            return Collections.singletonMap("text", sample.getText());
        }
    }

    static void run() throws Exception {
        Map<String, String> headers = new HashMap<>();
        headers.put("lambda-runtime-deadline-ms", "1");
        headers.put("lambda-runtime-client-context", "{}");
        InvocationContext context = new InvocationContext(headers, System.getenv());
        context.getClientContext();
        context.getIdentity();
        context.getLogger();
        try {
            FunctionHandler.find(Sample.class.getName() + "::handle", FunctionLoader.of("/var/empty", "/var/empty"))
                    .handle(Main.utf8("{\"text\": \"a\", \"number\": 1.5}"), context);
        } catch (Throwable e) {
            Failure.of(e).json();
        }
        Failure failure = Failure.of(new IllegalStateException("none"));
        failure.json();
        failure.inLog();
        try {
            new RuntimeClient("127.0.0.1:9");
        } catch (java.io.IOException e) {
            // Nobody listens there: its classes are loaded all the same.
            return;
        }
    }
}
