package com.amazonaws.services.lambda.runtime;

/** The mobile application of a client context; AWS's interface. */
public interface Client {
    String getInstallationId();

    String getAppTitle();

    String getAppVersionName();

    String getAppVersionCode();

    String getAppPackageName();
}
