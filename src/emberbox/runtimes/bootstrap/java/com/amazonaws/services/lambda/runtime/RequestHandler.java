package com.amazonaws.services.lambda.runtime;

/** A handler of values; AWS's interface. */
public interface RequestHandler<I, O> {
    O handleRequest(I input, Context context);
}
