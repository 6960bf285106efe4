"""An event that fails for good: its payload goes to a queue, the whole story to a topic."""

import json
from pathlib import Path

from examples.common import Application


def main():
    with Application(Path(__file__).parent) as app:
        dead, stories = app.queue("dead-events"), app.queue("stories")
        topic = app.topic("failures")
        app.subscribe(topic, "sqs", app.arn(stories), RawMessageDelivery="true")
        app.function("report", "report", DeadLetterConfig={"TargetArn": app.arn(dead)})
        app.functions.put_function_event_invoke_config(
            FunctionName="report",
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": topic}},
        )
        app.functions.invoke(
            FunctionName="report", InvocationType="Event", Payload=b'{"month": "May"}'
        )
        (letter,) = app.read(dead, 1)
        print("dead letter:", letter["Body"])
        print("its error:", letter["MessageAttributes"]["ErrorMessage"]["StringValue"])
        story = json.loads(app.bodies(stories, 1)[0])
        print("condition:", story["requestContext"]["condition"])
        print("attempts:", story["requestContext"]["approximateInvokeCount"])
        print("answer:", story["responsePayload"]["errorMessage"])


if __name__ == "__main__":
    main()
