package emberbox.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Collections;
import java.util.Date;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.TreeMap;

/**
 * Turns what was read from JSON into values of the types that a handler declares.
 *
 * <p>As lenient as AWS's runtime: one value does for a list of one and the reverse, an empty text for
 * no value, a number for a truth value, and an unknown name of an enumeration for none.
 */
final class Binder {
    private static final Map<Class<?>, Class<?>> BOXES = new HashMap<>();

    static {
        BOXES.put(boolean.class, Boolean.class);
        BOXES.put(byte.class, Byte.class);
        BOXES.put(short.class, Short.class);
        BOXES.put(int.class, Integer.class);
        BOXES.put(long.class, Long.class);
        BOXES.put(float.class, Float.class);
        BOXES.put(double.class, Double.class);
        BOXES.put(char.class, Character.class);
    }

    private Binder() {}

    static Object bind(Object value, Type type) throws ReflectiveOperationException {
        return bind(value, type, new HashMap<>());
    }

    private static Object bind(Object value, Type type, Map<TypeVariable<?>, Type> known)
            throws ReflectiveOperationException {
        if (type instanceof TypeVariable) {
            Type meant = known.get(type);
            return bind(value, meant == null ? ((TypeVariable<?>) type).getBounds()[0] : meant, known);
        }
        if (type instanceof WildcardType) {
            return bind(value, ((WildcardType) type).getUpperBounds()[0], known);
        }
        if (type instanceof GenericArrayType) {
            return array(value, ((GenericArrayType) type).getGenericComponentType(), known);
        }
        Type[] arguments = new Type[0];
        Class<?> raw;
        if (type instanceof ParameterizedType) {
            raw = (Class<?>) ((ParameterizedType) type).getRawType();
            arguments = ((ParameterizedType) type).getActualTypeArguments();
        } else {
            raw = (Class<?>) type;
        }
        return bind(value, raw, arguments, known);
    }

    private static Object bind(
            Object value, Class<?> raw, Type[] arguments, Map<TypeVariable<?>, Type> known)
            throws ReflectiveOperationException {
        if (raw == Optional.class) {
            return Optional.ofNullable(bind(value, argument(arguments, 0), known));
        }
        if (value == null) {
            return raw.isPrimitive() ? Array.get(Array.newInstance(raw, 1), 0) : null;
        }
        if (raw == Object.class) {
            return value;
        }
        boolean takesMany = raw.isArray() && raw != byte[].class || Iterable.class.isAssignableFrom(raw);
        if (value instanceof List && !takesMany) {
            List<?> items = (List<?>) value;
            if (items.size() > 1) {
                throw mismatch(value, raw);
            }
            return bind(items.isEmpty() ? null : items.get(0), raw, arguments, known);
        }
        boolean isText = raw == String.class || raw == CharSequence.class;
        if ("".equals(value) && !isText && !takesMany) {
            return bind(null, raw, arguments, known);
        }
        Class<?> boxed = BOXES.getOrDefault(raw, raw);
        if (Number.class.isAssignableFrom(boxed) || boxed == Boolean.class || boxed == Character.class) {
            return simple(value, boxed);
        }
        if (isText) {
            return text(value, raw);
        }
        if (raw.isEnum()) {
            return constant(value, raw);
        }
        if (raw == byte[].class) {
            return Base64.getDecoder().decode(text(value, raw));
        }
        if (raw == ByteBuffer.class) {
            return ByteBuffer.wrap(Base64.getDecoder().decode(text(value, raw)));
        }
        if (raw == Date.class) {
            return date(value);
        }
        if (raw.isArray()) {
            return array(value, raw.getComponentType(), known);
        }
        if (Map.class.isAssignableFrom(raw)) {
            return map(value, raw, arguments, known);
        }
        if (Iterable.class.isAssignableFrom(raw) && !Bean.isPlain(raw)) {
            return collection(value, raw, argument(arguments, 0), known);
        }
        if (!(value instanceof Map)) {
            return fromText(value, raw);
        }
        return bean((Map<?, ?>) value, raw, arguments, known);
    }

    private static Type argument(Type[] arguments, int index) {
        return index < arguments.length ? arguments[index] : Object.class;
    }

    private static Object simple(Object value, Class<?> type) {
        if (type.isInstance(value)) {
            return value;
        }
        String text = value instanceof Map || value instanceof List ? null : value.toString();
        if (text == null) {
            throw mismatch(value, type);
        }
        if (type == Boolean.class) {
            if (value instanceof Number) {
                return ((Number) value).doubleValue() != 0;
            }
            if (text.equals("true") || text.equals("false")) {
                return Boolean.valueOf(text);
            }
            throw mismatch(value, type);
        }
        if (type == Character.class) {
            if (text.length() == 1) {
                return text.charAt(0);
            }
            throw mismatch(value, type);
        }
        try {
            return number(new BigDecimal(text), type);
        } catch (ArithmeticException | NumberFormatException e) {
            throw mismatch(value, type);
        }
    }

    private static Number number(BigDecimal number, Class<?> type) {
        if (type == Integer.class) {
            return number.toBigInteger().intValueExact();
        } else if (type == Long.class) {
            return number.toBigInteger().longValueExact();
        } else if (type == Double.class) {
            return number.doubleValue();
        } else if (type == Float.class) {
            return number.floatValue();
        } else if (type == Short.class) {
            return number.toBigInteger().shortValueExact();
        } else if (type == Byte.class) {
            return number.toBigInteger().byteValueExact();
        } else if (type == BigInteger.class) {
            return number.toBigInteger();
        }
        return number;
    }

    private static String text(Object value, Class<?> type) {
        if (value instanceof Map || value instanceof List) {
            throw mismatch(value, type);
        }
        return value.toString();
    }

    private static Object constant(Object value, Class<?> type) {
        Object[] all = type.getEnumConstants();
        if (value instanceof Integer) {
            int ordinal = (Integer) value;
            return ordinal >= 0 && ordinal < all.length ? all[ordinal] : null;
        }
        String name = text(value, type);
        for (Object each : all) {
            if (((Enum<?>) each).name().equals(name)) {
                return each;
            }
        }
        return null;
    }

    /** Milliseconds since 1970, or a moment or day as ISO 8601 writes it. */
    private static Date date(Object value) {
        if (value instanceof Number) {
            return new Date(((Number) value).longValue());
        }
        String text = text(value, Date.class);
        try {
            if (text.indexOf('T') < 0) {
                return Date.from(LocalDate.parse(text).atStartOfDay(ZoneOffset.UTC).toInstant());
            }
            return Date.from(OffsetDateTime.parse(text).toInstant());
        } catch (DateTimeException e) {
            throw mismatch(value, Date.class);
        }
    }

    private static Object array(Object value, Type of, Map<TypeVariable<?>, Type> known)
            throws ReflectiveOperationException {
        List<?> items = list(value);
        Class<?> raw =
                of instanceof Class
                        ? (Class<?>) of
                        : of instanceof ParameterizedType
                                ? (Class<?>) ((ParameterizedType) of).getRawType()
                                : Object.class;
        Object array = Array.newInstance(raw, items.size());
        for (int i = 0; i < items.size(); i++) {
            Array.set(array, i, bind(items.get(i), of, known));
        }
        return array;
    }

    private static List<?> list(Object value) {
        return value instanceof List ? (List<?>) value : Collections.singletonList(value);
    }

    private static Object collection(
            Object value, Class<?> raw, Type of, Map<TypeVariable<?>, Type> known)
            throws ReflectiveOperationException {
        Collection<Object> made;
        if (!raw.isInterface() && !Modifier.isAbstract(raw.getModifiers())) {
            @SuppressWarnings("unchecked")
            Collection<Object> own = (Collection<Object>) raw.getDeclaredConstructor().newInstance();
            made = own;
        } else if (raw.isAssignableFrom(ArrayList.class)) {
            made = new ArrayList<>();
        } else if (Set.class.isAssignableFrom(raw)) {
            made = raw.isAssignableFrom(HashSet.class) ? new LinkedHashSet<>() : new java.util.TreeSet<>();
        } else if (Queue.class.isAssignableFrom(raw)) {
            made = new ArrayDeque<>();
        } else {
            throw mismatch(value, raw);
        }
        for (Object item : list(value)) {
            made.add(bind(item, of, known));
        }
        return made;
    }

    private static Object map(
            Object value, Class<?> raw, Type[] arguments, Map<TypeVariable<?>, Type> known)
            throws ReflectiveOperationException {
        if (!(value instanceof Map)) {
            throw mismatch(value, raw);
        }
        Map<Object, Object> made;
        if (!raw.isInterface() && !Modifier.isAbstract(raw.getModifiers())) {
            @SuppressWarnings("unchecked")
            Map<Object, Object> own = (Map<Object, Object>) raw.getDeclaredConstructor().newInstance();
            made = own;
        } else {
            made = raw.isAssignableFrom(LinkedHashMap.class) ? new LinkedHashMap<>() : new TreeMap<>();
        }
        for (Map.Entry<?, ?> member : ((Map<?, ?>) value).entrySet()) {
            made.put(
                    bind(member.getKey(), argument(arguments, 0), known),
                    bind(member.getValue(), argument(arguments, 1), known));
        }
        return made;
    }

    /** Of classes that are no beans: by a static method or a constructor that takes a text. */
    private static Object fromText(Object value, Class<?> raw) throws ReflectiveOperationException {
        if (raw.isInstance(value)) {
            return value;
        }
        String text = text(value, raw);
        for (String name : new String[] {"parse", "fromString", "valueOf", "of"}) {
            for (Class<?> taken : new Class<?>[] {String.class, CharSequence.class}) {
                try {
                    Method method = raw.getMethod(name, taken);
                    if (Modifier.isStatic(method.getModifiers()) && raw.isAssignableFrom(method.getReturnType())) {
                        return method.invoke(null, text);
                    }
                } catch (NoSuchMethodException e) {
                    continue;
                }
            }
        }
        try {
            Constructor<?> made = raw.getConstructor(String.class);
            return made.newInstance(text);
        } catch (NoSuchMethodException e) {
            throw mismatch(value, raw);
        }
    }

    private static Object bean(
            Map<?, ?> members, Class<?> raw, Type[] arguments, Map<TypeVariable<?>, Type> outer)
            throws ReflectiveOperationException {
        Map<TypeVariable<?>, Type> known = new HashMap<>(outer);
        TypeVariable<?>[] variables = raw.getTypeParameters();
        for (int i = 0; i < variables.length && i < arguments.length; i++) {
            known.put(variables[i], arguments[i]);
        }
        Object[] components = Bean.componentsOf(raw);
        if (components != null) {
            return record(members, raw, components, known);
        }
        Bean bean = Bean.of(raw);
        Object made = bean.create();
        for (Map.Entry<?, ?> member : members.entrySet()) {
            Bean.Property property = bean.writable(String.valueOf(member.getKey()));
            if (property == null) {
                continue;
            }
            Object value = member.getValue();
            if (bean.isEvent() && property.type() == Date.class && value instanceof Number) {
                // Events have seconds where JSON has milliseconds else.
                value = Math.round(((Number) value).doubleValue() * 1000);
            }
            property.set(made, bind(value, property.type(), known));
        }
        return made;
    }

    private static Object record(
            Map<?, ?> members, Class<?> raw, Object[] components, Map<TypeVariable<?>, Type> known)
            throws ReflectiveOperationException {
        Class<?>[] types = new Class<?>[components.length];
        Object[] values = new Object[components.length];
        for (int i = 0; i < components.length; i++) {
            Class<?> kind = components[i].getClass();
            types[i] = (Class<?>) kind.getMethod("getType").invoke(components[i]);
            Type type = (Type) kind.getMethod("getGenericType").invoke(components[i]);
            Object name = kind.getMethod("getName").invoke(components[i]);
            values[i] = bind(members.get(name), type, known);
        }
        Constructor<?> made = raw.getDeclaredConstructor(types);
        made.setAccessible(true);
        return made.newInstance(values);
    }

    private static IllegalArgumentException mismatch(Object value, Class<?> type) {
        String kind =
                value instanceof Map
                        ? "an object"
                        : value instanceof List ? "an array" : "the value " + new String(JsonWriter.write(value));
        return new IllegalArgumentException("Cannot make " + type.getName() + " from " + kind);
    }
}
