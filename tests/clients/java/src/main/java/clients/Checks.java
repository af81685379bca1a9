package clients;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.KafkaFuture;

/** Runs checks one after the other, prints a line for each, and ends with the count. */
final class Checks {
    private static final long DEADLINE_SECONDS = 30;
    private int passed;
    private int failed;

    interface Check {
        void run() throws Exception;
    }

    void run(String name, Check check) {
        long started = System.nanoTime();
        try {
            check.run();
        } catch (Exception | AssertionError error) {
            count(false, "FAIL " + name + ": " + error + " (" + place(error) + ")");
            return;
        }
        count(true, String.format("ok   %s (%.1f s)", name, (System.nanoTime() - started) / 1e9));
    }

    /** Runs checks at the same time. */
    void runTogether(Map<String, Check> named) throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        named.forEach((name, check) -> threads.add(new Thread(() -> run(name, check))));
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
    }

    private synchronized void count(boolean holds, String line) {
        passed += holds ? 1 : 0;
        failed += holds ? 0 : 1;
        System.out.println(line);
    }

    /** The line of the suite at which the check failed. */
    private static String place(Throwable error) {
        for (StackTraceElement element : error.getStackTrace()) {
            boolean inSuite = element.getClassName().startsWith("clients.");
            if (inSuite && !element.getClassName().equals(Checks.class.getName())) {
                return element.getFileName() + ":" + element.getLineNumber();
            }
        }
        return "in the client";
    }

    int finish() {
        System.out.println(passed + " passed, " + failed + " failed");
        return failed == 0 ? 0 : 1;
    }

    static void equal(Object actual, Object wanted, String what) {
        if (!Objects.equals(actual, wanted)) {
            throw new AssertionError(what + ": got " + actual + ", expected " + wanted);
        }
    }

    static void holds(boolean condition, Object what) {
        if (!condition) {
            throw new AssertionError("does not hold: " + what);
        }
    }

    static <T> T done(KafkaFuture<T> future) throws Exception {
        return future.get(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }

    static void refused(Class<? extends Exception> wanted, Check check) throws Exception {
        try {
            check.run();
        } catch (ExecutionException error) {
            equal(error.getCause().getClass(), wanted, "kind of refusal");
            return;
        } catch (RuntimeException error) {
            equal(error.getClass(), wanted, "kind of refusal");
            return;
        }
        throw new AssertionError("was not refused with " + wanted.getSimpleName());
    }
}
