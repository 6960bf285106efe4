package emberbox.runtime;

import com.amazonaws.services.lambda.runtime.Client;
import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.CognitoIdentity;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.LambdaRuntime;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** One invocation, seen from inside. */
final class InvocationContext implements Context {
    private final Map<String, String> headers;
    private final Map<String, String> environment;
    private final long deadlineMs;

    InvocationContext(Map<String, String> headers, Map<String, String> environment) {
        this.headers = headers;
        this.environment = environment;
        String deadline = headers.get("lambda-runtime-deadline-ms");
        deadlineMs = deadline == null ? 0 : Long.parseLong(deadline);
    }

    @Override
    public String getAwsRequestId() {
        return headers.get("lambda-runtime-aws-request-id");
    }

    @Override
    public String getLogGroupName() {
        return environment.get("AWS_LAMBDA_LOG_GROUP_NAME");
    }

    @Override
    public String getLogStreamName() {
        return environment.get("AWS_LAMBDA_LOG_STREAM_NAME");
    }

    @Override
    public String getFunctionName() {
        return environment.get("AWS_LAMBDA_FUNCTION_NAME");
    }

    @Override
    public String getFunctionVersion() {
        return environment.get("AWS_LAMBDA_FUNCTION_VERSION");
    }

    @Override
    public String getInvokedFunctionArn() {
        return headers.get("lambda-runtime-invoked-function-arn");
    }

    @Override
    public String getTenantId() {
        return headers.get("lambda-runtime-aws-tenant-id");
    }

    @Override
    public String getXrayTraceId() {
        return headers.get("lambda-runtime-trace-id");
    }

    @Override
    public int getRemainingTimeInMillis() {
        return (int) Math.max(0, deadlineMs - System.currentTimeMillis());
    }

    @Override
    public int getMemoryLimitInMB() {
        return Integer.parseInt(environment.getOrDefault("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0"));
    }

    @Override
    public LambdaLogger getLogger() {
        return LambdaRuntime.getLogger();
    }

    @Override
    public CognitoIdentity getIdentity() {
        Map<?, ?> known = object(headers.get("lambda-runtime-cognito-identity"));
        return new CognitoIdentity() {
            @Override
            public String getIdentityId() {
                return text(known, "cognitoIdentityId");
            }

            @Override
            public String getIdentityPoolId() {
                return text(known, "cognitoIdentityPoolId");
            }
        };
    }

    @Override
    public ClientContext getClientContext() {
        String sent = headers.get("lambda-runtime-client-context");
        if (sent == null) {
            return null;
        }
        Map<?, ?> known = object(sent);
        return new ClientContext() {
            @Override
            public Client getClient() {
                return known.get("client") instanceof Map ? client((Map<?, ?>) known.get("client")) : null;
            }

            @Override
            public Map<String, String> getCustom() {
                return texts(known.get("custom"));
            }

            @Override
            public Map<String, String> getEnvironment() {
                return texts(known.get("env"));
            }
        };
    }

    private static Client client(Map<?, ?> known) {
        return new Client() {
            @Override
            public String getInstallationId() {
                return text(known, "installation_id");
            }

            @Override
            public String getAppTitle() {
                return text(known, "app_title");
            }

            @Override
            public String getAppVersionName() {
                return text(known, "app_version_name");
            }

            @Override
            public String getAppVersionCode() {
                return text(known, "app_version_code");
            }

            @Override
            public String getAppPackageName() {
                return text(known, "app_package_name");
            }
        };
    }

    private static Map<?, ?> object(String text) {
        Object known = text == null ? null : JsonReader.read(text);
        return known instanceof Map ? (Map<?, ?>) known : Collections.emptyMap();
    }

    private static String text(Map<?, ?> known, String name) {
        Object value = known.get(name);
        return value == null ? null : value.toString();
    }

    private static Map<String, String> texts(Object known) {
        if (!(known instanceof Map)) {
            return null;
        }
        Map<String, String> texts = new LinkedHashMap<>();
        ((Map<?, ?>) known).forEach((name, value) -> texts.put(name.toString(), String.valueOf(value)));
        return texts;
    }
}
