"""A schedule wakes a function every night, which removes what is out of date."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3

from examples.common import ROLE, Application

BUCKET, NIGHTLY = "example-temporary", "example-nightly"


def main():
    scheduler = boto3.client("scheduler")
    with Application(Path(__file__).parent) as app:
        app.bucket(BUCKET)
        for key in ("2020-01-01/a.tmp", "2020-01-02/b.tmp", "2999-12-31/c.tmp"):
            app.s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
        schedule = {
            "Name": NIGHTLY,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {
                "Arn": app.function("clean-up", "clean", {"BUCKET": BUCKET}),
                "RoleArn": ROLE,
                "Input": '{"time": "<aws.scheduler.scheduled-time>"}',
            },
        }
        scheduler.create_schedule(
            ScheduleExpression="cron(30 3 * * ? *)",
            ScheduleExpressionTimezone="Europe/Berlin",
            **schedule,
        )
        made = scheduler.get_schedule(Name=NIGHTLY)
        print(made["ScheduleExpression"], made["ScheduleExpressionTimezone"])

        # Nobody wants to wait for the night: the same schedule, once, in two seconds.
        soon = datetime.now(UTC) + timedelta(seconds=2)
        scheduler.update_schedule(ScheduleExpression=f"at({soon:%Y-%m-%dT%H:%M:%S})", **schedule)
        app.until(lambda: len(app.keys(BUCKET)) == 1)
        print("left:", *app.keys(BUCKET))
        scheduler.delete_schedule(Name=NIGHTLY)


if __name__ == "__main__":
    main()
