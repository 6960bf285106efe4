"""Changes of state of instances drive an automation, which answers with events of its own."""

from pathlib import Path

from examples.common import Application

BUS = "example-instances"
CHANGE = "EC2 Instance State-change Notification"


def main():
    with Application(Path(__file__).parent) as app:
        wanted = app.queue("restarts")
        restart = app.function("restart", "restart", {"BUS": BUS})
        app.bus(BUS)
        stopped = {
            "source": ["my.ec2"],
            "detail-type": [CHANGE],
            "detail": {"state": ["stopped"], "instance-id": [{"prefix": "i-web"}]},
        }
        app.rule("stopped", BUS, stopped, Arn=restart)
        app.rule(
            "wanted",
            BUS,
            {"source": ["my.automation"], "detail-type": ["Restart Wanted"]},
            Arn=app.arn(wanted),
            InputTransformer={
                "InputPathsMap": {"id": "$.detail.instance-id"},
                "InputTemplate": '"restart <id>"',
            },
        )
        app.tell(
            BUS,
            "my.ec2",
            CHANGE,
            {"instance-id": "i-web-1", "state": "stopping"},
            {"instance-id": "i-web-1", "state": "stopped"},
            {"instance-id": "i-db-1", "state": "stopped"},
        )
        print(*app.bodies(wanted, 1))


if __name__ == "__main__":
    main()
