package emberbox.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.InvocationTargetException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Date;
import java.util.Map;
import java.util.Optional;

/**
 * Writes values as JSON: maps, collections, arrays, texts, numbers, enumerations and beans.
 *
 * <p>As AWS's runtime does, members without a value are left out.
 */
final class JsonWriter {
    private static final int DEPTH_MAX = 1000;
    private final StringBuilder out = new StringBuilder();
    private int depth;

    private JsonWriter() {}

    static byte[] write(Object value) {
        JsonWriter writer = new JsonWriter();
        writer.value(value);
        return writer.out.toString().getBytes(StandardCharsets.UTF_8);
    }

    private void value(Object value) {
        if (value == null || value instanceof Boolean) {
            out.append(value);
        } else if (value instanceof CharSequence || value instanceof Character) {
            text(value.toString());
        } else if (value instanceof Double || value instanceof Float) {
            double number = ((Number) value).doubleValue();
            if (Double.isNaN(number) || Double.isInfinite(number)) {
                text(value.toString());
            } else {
                out.append(value);
            }
        } else if (value instanceof Number) {
            out.append(value);
        } else if (value instanceof Enum) {
            text(((Enum<?>) value).name());
        } else if (value instanceof byte[]) {
            text(Base64.getEncoder().encodeToString((byte[]) value));
        } else if (value instanceof Date) {
            out.append(((Date) value).getTime());
        } else {
            if (++depth > DEPTH_MAX) {
                throw new IllegalArgumentException(
                        "the value is nested deeper than " + DEPTH_MAX + ", or contains itself");
            }
            structure(value);
            depth--;
        }
    }

    private void structure(Object value) {
        if (value instanceof Map) {
            object((Map<?, ?>) value);
        } else if (value instanceof Iterable) {
            String comma = "[";
            for (Object item : (Iterable<?>) value) {
                out.append(comma);
                value(item);
                comma = ",";
            }
            out.append(comma.equals("[") ? "[]" : "]");
        } else if (value.getClass().isArray()) {
            out.append('[');
            for (int i = 0; i < Array.getLength(value); i++) {
                out.append(i == 0 ? "" : ",");
                value(Array.get(value, i));
            }
            out.append(']');
        } else if (value instanceof Optional) {
            value(((Optional<?>) value).orElse(null));
        } else if (value instanceof ByteBuffer) {
            ByteBuffer copy = ((ByteBuffer) value).duplicate();
            byte[] bytes = new byte[copy.remaining()];
            copy.get(bytes);
            value(bytes);
        } else if (Bean.isPlain(value.getClass())) {
            bean(value);
        } else {
            text(value.toString());
        }
    }

    private void object(Map<?, ?> members) {
        String comma = "{";
        for (Map.Entry<?, ?> member : members.entrySet()) {
            if (member.getValue() == null) {
                continue;
            }
            out.append(comma);
            text(String.valueOf(member.getKey()));
            out.append(':');
            value(member.getValue());
            comma = ",";
        }
        out.append(comma.equals("{") ? "{}" : "}");
    }

    private void bean(Object value) {
        String comma = "{";
        for (Bean.Property property : Bean.of(value.getClass()).readable()) {
            Object member = member(value, property);
            if (member == null) {
                continue;
            }
            out.append(comma);
            text(property.name);
            out.append(':');
            value(member);
            comma = ",";
        }
        out.append(comma.equals("{") ? "{}" : "}");
    }

    private static Object member(Object bean, Bean.Property property) {
        try {
            return property.get(bean);
        } catch (InvocationTargetException e) {
            throw new IllegalArgumentException(
                    "the getter of " + property.name + " failed", e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private void text(String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c >= ' ') {
                out.append(c);
            } else if (c == '\n') {
                out.append("\\n");
            } else if (c == '\r') {
                out.append("\\r");
            } else if (c == '\t') {
                out.append("\\t");
            } else {
                out.append(String.format("\\u%04x", (int) c));
            }
        }
        out.append('"');
    }
}
