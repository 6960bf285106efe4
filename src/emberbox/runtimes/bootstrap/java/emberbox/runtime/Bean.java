package emberbox.runtime;

import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The properties of a class, by getters, setters, public fields, and components of a record.
 *
 * <p>Names are those of the JavaBeans convention: getName gives "name", and getURL "URL".
 */
final class Bean {
    private static final String EVENTS = "com.amazonaws.services.lambda.runtime.events.";
    private static final Map<Class<?>, Bean> KNOWN = new ConcurrentHashMap<>();

    private final Class<?> type;
    private final Map<String, Property> properties = new LinkedHashMap<>();
    private final Map<String, Property> byLowerName = new LinkedHashMap<>();

    /** One property; what it lacks is null. */
    static final class Property {
        final String name;
        Method getter;
        Method setter;
        Field field;

        Property(String name) {
            this.name = name;
        }

        Object get(Object bean) throws ReflectiveOperationException {
            return getter != null ? getter.invoke(bean) : field.get(bean);
        }

        Type type() {
            return setter != null ? setter.getGenericParameterTypes()[0] : field.getGenericType();
        }

        void set(Object bean, Object value) throws ReflectiveOperationException {
            if (setter != null) {
                setter.invoke(bean, value);
            } else {
                field.set(bean, value);
            }
        }

        private boolean isReadable() {
            return getter != null || field != null && Modifier.isPublic(field.getModifiers());
        }
    }

    private Bean(Class<?> type) {
        this.type = type;
        boolean isRecord = componentsOf(type) != null;
        List<Class<?>> line = new ArrayList<>();
        for (Class<?> each = type; each != null && each != Object.class; each = each.getSuperclass()) {
            line.add(0, each);
        }
        for (Class<?> each : line) {
            for (Field field : each.getDeclaredFields()) {
                if (!Modifier.isStatic(field.getModifiers()) && !field.isSynthetic()) {
                    Property property = property(field.getName());
                    property.field = field;
                }
            }
        }
        for (Method method : type.getMethods()) {
            if (!Modifier.isStatic(method.getModifiers())
                    && !method.isBridge()
                    && method.getDeclaringClass() != Object.class) {
                take(method, isRecord);
            }
        }
        for (Property property : properties.values()) {
            open(property);
            byLowerName.putIfAbsent(property.name.toLowerCase(Locale.ROOT), property);
        }
    }

    static Bean of(Class<?> type) {
        return KNOWN.computeIfAbsent(type, Bean::new);
    }

    /** Whether a class is the customer's, rather than one of Java's own values or a moment. */
    static boolean isPlain(Class<?> type) {
        String name = type.getName();
        return !name.startsWith("java.")
                && !name.startsWith("javax.")
                && !name.startsWith("org.joda.time.");
    }

    /** Whether a class is one of AWS's own for events, which are read with some more leniency. */
    boolean isEvent() {
        return type.getName().startsWith(EVENTS);
    }

    /** The components of a record, or null. Java 8 does not know them by name. */
    static Object[] componentsOf(Class<?> type) {
        try {
            return (Object[]) Class.class.getMethod("getRecordComponents").invoke(type);
        } catch (ReflectiveOperationException e) {
            return null;
        }
    }

    private void take(Method method, boolean isRecord) {
        String name = method.getName();
        int parameters = method.getParameterCount();
        boolean gives = parameters == 0 && method.getReturnType() != void.class;
        if (gives && name.startsWith("get") && name.length() > 3) {
            property(decapitalised(name.substring(3))).getter = method;
        } else if (gives && name.startsWith("is") && name.length() > 2 && isTruth(method.getReturnType())) {
            property(decapitalised(name.substring(2))).getter = method;
        } else if (gives && isRecord && properties.containsKey(name)) {
            property(name).getter = method;
        } else if (parameters == 1 && name.startsWith("set") && name.length() > 3) {
            property(decapitalised(name.substring(3))).setter = method;
        }
    }

    private static boolean isTruth(Class<?> type) {
        return type == boolean.class || type == Boolean.class;
    }

    private Property property(String name) {
        return properties.computeIfAbsent(name, Property::new);
    }

    private static String decapitalised(String name) {
        boolean isAbbreviation = name.length() > 1 && Character.isUpperCase(name.charAt(1));
        return isAbbreviation ? name : name.substring(0, 1).toLowerCase(Locale.ROOT) + name.substring(1);
    }

    private static void open(Property property) {
        try {
            if (property.getter != null) {
                property.getter.setAccessible(true);
            }
            if (property.setter != null) {
                property.setter.setAccessible(true);
            }
            if (property.field != null) {
                property.field.setAccessible(true);
            }
        } catch (RuntimeException e) {
            // Of a module that does not open itself: reading or writing it will tell.
            property.field = null;
        }
    }

    /** What is written: those of fields in their order, then the others by name. */
    List<Property> readable() {
        List<Property> ofFields = new ArrayList<>();
        List<Property> others = new ArrayList<>();
        for (Property property : properties.values()) {
            if (property.isReadable()) {
                (property.field != null ? ofFields : others).add(property);
            }
        }
        others.sort(Comparator.comparing(property -> property.name));
        ofFields.addAll(others);
        return ofFields;
    }

    /**
     * What is read, null if there is none. For AWS's classes of events the name may differ in
     * capitals and hyphens: an event has "Records" where its class has getRecords.
     */
    Property writable(String name) {
        Property found = properties.get(name);
        if (found == null && isEvent()) {
            found = byLowerName.get(name.replace("-", "").toLowerCase(Locale.ROOT));
        }
        return found == null || found.setter == null && found.field == null ? null : found;
    }

    /** A new instance; where there is no constructor without parameters, none is called. */
    Object create() throws ReflectiveOperationException {
        try {
            Constructor<?> plain = type.getDeclaredConstructor();
            plain.setAccessible(true);
            return plain.newInstance();
        } catch (NoSuchMethodException e) {
            Class<?> unsafe = Class.forName("sun.misc.Unsafe");
            Field instance = unsafe.getDeclaredField("theUnsafe");
            instance.setAccessible(true);
            return unsafe.getMethod("allocateInstance", Class.class).invoke(instance.get(null), type);
        }
    }
}
