package emberbox.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;

/**
 * What `pkg.Class::method` or `pkg.Class` names, ready to be called with bytes.
 *
 * <p>Source: "Define Lambda function handler in Java" of AWS's guide.
 */
final class FunctionHandler {
    private static final String USUAL = "handleRequest";

    private final Object target;
    private final Method method;
    private final List<Type> parameters;
    private final CustomPojoSerializer serializer;

    private FunctionHandler(Object target, Method method, ClassLoader loader) {
        this.target = target;
        this.method = method;
        parameters = resolved(method, target.getClass());
        Iterator<CustomPojoSerializer> own =
                ServiceLoader.load(CustomPojoSerializer.class, loader).iterator();
        serializer = own.hasNext() ? own.next() : null;
    }

    static FunctionHandler find(String name, ClassLoader loader) throws Throwable {
        if (name == null || name.isEmpty()) {
            throw new IllegalArgumentException("Handler is not set");
        }
        int colons = name.indexOf("::");
        String className = colons < 0 ? name : name.substring(0, colons);
        Class<?> type;
        try {
            type = Class.forName(className, true, loader);
        } catch (ClassNotFoundException e) {
            if (className.equals(e.getMessage())) {
                throw new ClassNotFoundException("Class not found: " + className);
            }
            throw e;
        } catch (ExceptionInInitializerError e) {
            throw e.getCause() == null ? e : e.getCause();
        }
        Method method = method(type, colons < 0 ? USUAL : name.substring(colons + 2));
        Object target = Modifier.isStatic(method.getModifiers()) ? type : instance(type);
        return new FunctionHandler(target, method, loader);
    }

    private static Object instance(Class<?> type) throws Throwable {
        try {
            return type.getConstructor().newInstance();
        } catch (NoSuchMethodException e) {
            throw new NoSuchMethodException(
                    "Class " + type.getName() + " has no public zero-argument constructor");
        } catch (InstantiationException e) {
            throw new InstantiationException("Class " + type.getName() + " cannot be instantiated");
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    /** Of methods with the name the one with the most to be told; the compiler's own do not count. */
    private static Method method(Class<?> type, String name) throws NoSuchMethodException {
        Method best = null;
        for (Method each : type.getMethods()) {
            if (each.getName().equals(name) && !each.isBridge() && isCallable(each)) {
                if (best == null || each.getParameterCount() > best.getParameterCount()) {
                    best = each;
                }
            }
        }
        if (best == null) {
            throw new NoSuchMethodException(
                    "No public method named " + name
                            + " with appropriate method signature found on class " + type.getName());
        }
        // A class that is not public may implement what is.
        best.setAccessible(true);
        return best;
    }

    private static boolean isCallable(Method method) {
        Class<?>[] types = method.getParameterTypes();
        int told = types.length;
        if (told > 0 && types[told - 1] == Context.class) {
            told--;
        }
        if (told == 2) {
            return types[0] == InputStream.class && types[1] == OutputStream.class;
        }
        return told < 2;
    }

    /** The types of a method's parameters, with what a class says its type variables mean. */
    private static List<Type> resolved(Method method, Class<?> type) {
        Map<TypeVariable<?>, Type> meanings = new HashMap<>();
        collect(type, meanings);
        List<Type> found = new ArrayList<>();
        for (Type parameter : method.getGenericParameterTypes()) {
            Type meant = parameter;
            while (meant instanceof TypeVariable && meanings.containsKey(meant)) {
                meant = meanings.get(meant);
            }
            found.add(meant);
        }
        return found;
    }

    private static void collect(Type type, Map<TypeVariable<?>, Type> meanings) {
        if (type == null) {
            return;
        }
        Class<?> raw;
        if (type instanceof ParameterizedType) {
            raw = (Class<?>) ((ParameterizedType) type).getRawType();
            Type[] arguments = ((ParameterizedType) type).getActualTypeArguments();
            for (int i = 0; i < arguments.length; i++) {
                meanings.put(raw.getTypeParameters()[i], arguments[i]);
            }
        } else {
            raw = (Class<?>) type;
        }
        collect(raw.getGenericSuperclass(), meanings);
        Arrays.stream(raw.getGenericInterfaces()).forEach(each -> collect(each, meanings));
    }

    /** Call it; what it throws comes as it is. */
    byte[] handle(byte[] event, Context context) throws Throwable {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Object[] arguments = new Object[parameters.size()];
        boolean writes = false;
        for (int i = 0; i < arguments.length; i++) {
            Type type = parameters.get(i);
            if (type == Context.class && i == arguments.length - 1) {
                arguments[i] = context;
            } else if (type == InputStream.class) {
                arguments[i] = new ByteArrayInputStream(event);
            } else if (type == OutputStream.class) {
                arguments[i] = out;
                writes = true;
            } else {
                arguments[i] = parsed(event, type);
            }
        }
        Object result = call(arguments);
        if (!writes) {
            serialise(result, out);
        }
        return out.toByteArray();
    }

    @SuppressWarnings("unchecked")
    private Object call(Object[] arguments) throws Throwable {
        if (target instanceof RequestHandler && arguments.length == 2 && method.getName().equals(USUAL)) {
            return ((RequestHandler<Object, Object>) target)
                    .handleRequest(arguments[0], (Context) arguments[1]);
        }
        if (target instanceof RequestStreamHandler && arguments.length == 3) {
            ((RequestStreamHandler) target)
                    .handleRequest(
                            (InputStream) arguments[0],
                            (OutputStream) arguments[1],
                            (Context) arguments[2]);
            return null;
        }
        try {
            return method.invoke(target instanceof Class ? null : target, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    private Object parsed(byte[] event, Type type) {
        try {
            if (serializer != null) {
                return serializer.fromJson(new ByteArrayInputStream(event), type);
            }
            return Binder.bind(JsonReader.read(event), type);
        } catch (ReflectiveOperationException | RuntimeException e) {
            throw new RuntimeException("An error occurred during JSON parsing", unwrapped(e));
        }
    }

    private void serialise(Object result, ByteArrayOutputStream out) {
        try {
            if (serializer != null && result != null) {
                serializer.toJson(result, out, method.getGenericReturnType());
                return;
            }
            byte[] json = JsonWriter.write(result);
            out.write(json, 0, json.length);
        } catch (RuntimeException e) {
            throw new RuntimeException("An error occurred during JSON serialization of response", e);
        }
    }

    private static Throwable unwrapped(Throwable error) {
        return error instanceof InvocationTargetException ? error.getCause() : error;
    }
}
