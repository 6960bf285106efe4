package example;

/** A class that cannot be initialised. */
public class AtOnce {
    static {
        fail();
    }

    private static void fail() {
        throw new IllegalStateException("at once");
    }

    public String handleRequest() {
        return "";
    }
}
