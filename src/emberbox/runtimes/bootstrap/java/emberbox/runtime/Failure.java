package emberbox.runtime;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A failure as AWS reports it: message, type, stack trace, cause; without frames of ours. */
final class Failure {
    private static final int CAUSES_MAX = 32;
    private final Throwable error;

    private Failure(Throwable error) {
        this.error = error;
    }

    static Failure of(Throwable error) {
        Throwable actual = error;
        while (actual instanceof InvocationTargetException && actual.getCause() != null) {
            actual = actual.getCause();
        }
        for (Throwable each = actual; each != null; each = each.getCause()) {
            List<StackTraceElement> kept = new ArrayList<>();
            for (StackTraceElement frame : each.getStackTrace()) {
                String place = frame.getClassName();
                if (place.startsWith("emberbox.runtime.")) {
                    break;
                }
                kept.add(frame);
            }
            while (!kept.isEmpty() && isReflection(kept.get(kept.size() - 1).getClassName())) {
                kept.remove(kept.size() - 1);
            }
            each.setStackTrace(kept.toArray(new StackTraceElement[0]));
        }
        return new Failure(actual);
    }

    private static boolean isReflection(String place) {
        return place.startsWith("java.lang.reflect.")
                || place.startsWith("jdk.internal.reflect.")
                || place.startsWith("java.lang.invoke.")
                || place.startsWith("sun.reflect.");
    }

    String type() {
        return error.getClass().getName();
    }

    /** Whether the machine itself is in trouble: then the process cannot go on. */
    boolean isFatal() {
        return error instanceof VirtualMachineError;
    }

    byte[] json() {
        return JsonWriter.write(describe(error, 0));
    }

    private static Map<String, Object> describe(Throwable error, int depth) {
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("errorMessage", error.getLocalizedMessage());
        told.put("errorType", error.getClass().getName());
        List<String> frames = new ArrayList<>();
        for (StackTraceElement frame : error.getStackTrace()) {
            frames.add(frame.toString());
        }
        told.put("stackTrace", frames);
        if (error.getCause() != null && depth < CAUSES_MAX) {
            told.put("cause", describe(error.getCause(), depth + 1));
        }
        return told;
    }

    /** As it stands in the log. */
    String inLog() {
        StringWriter text = new StringWriter();
        text.append(String.valueOf(error.getLocalizedMessage())).append(": ").append(type()).append('\n');
        error.printStackTrace(new PrintWriter(text, true));
        return text.toString();
    }
}
