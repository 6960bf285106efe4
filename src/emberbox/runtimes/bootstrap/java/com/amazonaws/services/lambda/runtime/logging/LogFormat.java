package com.amazonaws.services.lambda.runtime.logging;

import java.util.Locale;

/** How lines look; AWS's enumeration. */
public enum LogFormat {
    JSON,
    TEXT;

    public static LogFormat fromString(String logFormat) {
        try {
            return valueOf(logFormat.toUpperCase(Locale.ROOT));
        } catch (RuntimeException e) {
            throw new IllegalArgumentException("Invalid log format: '" + logFormat + "'");
        }
    }
}
