package emberbox.runtime;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Where a function's classes are: its package, the jars in its lib folder, and those of layers. */
final class FunctionLoader {
    private FunctionLoader() {}

    static ClassLoader of(String taskRoot, String layers) throws MalformedURLException {
        String root = taskRoot == null ? "/var/task" : taskRoot;
        List<URL> places = new ArrayList<>();
        places.add(new File(root).toURI().toURL());
        addJars(places, new File(root, "lib"));
        addJars(places, new File(layers, "java/lib"));
        return new URLClassLoader(places.toArray(new URL[0]), FunctionLoader.class.getClassLoader());
    }

    private static void addJars(List<URL> places, File folder) throws MalformedURLException {
        File[] jars = folder.listFiles((place, name) -> name.endsWith(".jar"));
        if (jars == null) {
            return;
        }
        Arrays.sort(jars);
        for (File jar : jars) {
            places.add(jar.toURI().toURL());
        }
    }
}
