package com.amazonaws.services.lambda.runtime;

/** The logger for code that has no context at hand; AWS's class. */
public final class LambdaRuntime {
    private static volatile LambdaLogger logger = new emberbox.runtime.FunctionLog();

    private LambdaRuntime() {}

    public static LambdaLogger getLogger() {
        return logger;
    }
}
