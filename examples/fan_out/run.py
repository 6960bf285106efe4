"""One topic, two functions and a queue: each hears what its filter lets through."""

import json
from pathlib import Path

from examples.common import Application


def main():
    with Application(Path(__file__).parent) as app:
        heard, large = app.queue("heard"), app.queue("large-orders")
        topic = app.topic("shop")
        for name, events in (("packing", ["ordered"]), ("support", ["ordered", "returned"])):
            arn = app.function(name, "hear", {"HEARD": "heard", "NAME": name})
            app.subscribe(topic, "lambda", arn, FilterPolicy=json.dumps({"event": events}))
        app.subscribe(
            topic,
            "sqs",
            app.arn(large),
            FilterPolicyScope="MessageBody",
            FilterPolicy=json.dumps({"total": [{"numeric": [">=", 100]}]}),
            RawMessageDelivery="true",
        )
        for event, total in (("ordered", 20), ("ordered", 500), ("returned", 30), ("viewed", 1)):
            app.sns.publish(
                TopicArn=topic,
                Message=json.dumps({"total": total}),
                MessageAttributes={"event": {"DataType": "String", "StringValue": event}},
            )
        for line in sorted(app.bodies(heard, 5)):
            print(line)
        print("large orders:", *app.bodies(large, 1))


if __name__ == "__main__":
    main()
