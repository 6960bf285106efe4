package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Handlers of all shapes that AWS accepts. */
public class Shapes {
    public String text(String text) {
        return text + "!";
    }

    public int whole(int number, Context context) {
        return number + 1;
    }

    public Double real(Double number) {
        return number / 2;
    }

    public long length(List<Integer> numbers) {
        long sum = 0;
        for (int number : numbers) {
            sum += number;
        }
        return sum;
    }

    public String onlyContext(Context context) {
        return context.getFunctionVersion();
    }

    public void nothing() {}

    public static boolean fixed(boolean value) {
        return !value;
    }

    public Map<String, Item> items(Map<String, Item> items) {
        items.values().forEach(item -> item.setCount(item.getCount() + 1));
        return items;
    }

    public int[] array(int[] numbers) {
        return new int[] {numbers.length};
    }

    public Color color(Color color) {
        return color == Color.RED ? Color.GREEN : Color.RED;
    }

    public Order order(Order order, Context context) {
        order.total = 0;
        for (Item item : order.getItems()) {
            order.total += item.getCount();
        }
        return order;
    }

    public Odd odd(Odd odd) {
        return odd;
    }

    public void bytes(InputStream in, OutputStream out, Context context) throws IOException {
        int next;
        while ((next = in.read()) >= 0) {
            out.write(Character.toUpperCase(next));
        }
    }

    public String logged(Context context) {
        context.getLogger().log("first line\nsecond line");
        return "logged";
    }

    public void levels(Context context) {
        context.getLogger().log("too little", LogLevel.INFO);
        context.getLogger().log("two\nlines", LogLevel.WARN);
        throw new IllegalStateException("on purpose");
    }

    public enum Color {
        RED,
        GREEN
    }

    public static class Item {
        private String name;
        private int count;
        private boolean active;

        public String getName() {
            return name;
        }

        public void setName(String name) {
            this.name = name;
        }

        public int getCount() {
            return count;
        }

        public void setCount(int count) {
            this.count = count;
        }

        public boolean isActive() {
            return active;
        }

        public void setActive(boolean active) {
            this.active = active;
        }
    }

    public static class Order {
        public int total;
        private List<Item> items = new ArrayList<>();
        private Set<String> tags = Collections.emptySet();

        public List<Item> getItems() {
            return items;
        }

        public void setItems(List<Item> items) {
            this.items = items;
        }

        public Set<String> getTags() {
            return tags;
        }

        public void setTags(Set<String> tags) {
            this.tags = tags;
        }
    }

    /** What JSON need not say in so many words. */
    public static class Odd {
        public Color color;
        public Boolean truth;
        public List<String> one;
        public String single;
        public Integer empty;
        public Date moment;
        public Integer cut;
        private String urlName;

        public String getURLName() {
            return urlName;
        }

        public void setURLName(String urlName) {
            this.urlName = urlName;
        }
    }

    /** The type of the event is said by the class that this one extends. */
    public abstract static class Base<T> implements RequestHandler<T, String> {
        @Override
        public String handleRequest(T input, Context context) {
            return name(input);
        }

        protected abstract String name(T input);
    }

    public static class OfItem extends Base<Item> {
        @Override
        protected String name(Item input) {
            return input.getName();
        }
    }

    public static class Stream implements RequestStreamHandler {
        @Override
        public void handleRequest(InputStream in, OutputStream out, Context context)
                throws IOException {
            new Shapes().bytes(in, out, context);
        }
    }
}
