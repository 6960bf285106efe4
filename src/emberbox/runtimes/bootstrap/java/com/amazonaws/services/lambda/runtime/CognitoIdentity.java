package com.amazonaws.services.lambda.runtime;

/** Who called, when the caller came through Amazon Cognito; AWS's interface. */
public interface CognitoIdentity {
    String getIdentityId();

    String getIdentityPoolId();
}
