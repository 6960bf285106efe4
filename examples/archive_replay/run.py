"""What has happened happens once more, for a rule that came later."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from examples.common import Application

BUS, ARCHIVE, REPLAY = "example-ledger", "example-ledger-archive", "example-ledger-replay"


def main():
    with Application(Path(__file__).parent) as app:
        bus = app.bus(BUS)
        paid = {"source": ["my.shop"], "detail-type": ["order paid"]}
        archive = app.events.create_archive(
            ArchiveName=ARCHIVE, EventSourceArn=bus, EventPattern=json.dumps(paid)
        )
        began = datetime.now(UTC)
        app.tell(BUS, "my.shop", "order paid", {"total": 20}, {"total": 500})
        app.tell(BUS, "my.shop", "order viewed", {"total": 7})
        kept = app.events.describe_archive(ArchiveName=ARCHIVE)
        print(kept["EventCount"], "events in the archive")

        totals = app.queue("totals")
        app.rule("late", BUS, paid, Arn=app.function("add-up", "add_up", {"TOTALS": "totals"}))
        app.events.start_replay(
            ReplayName=REPLAY,
            EventSourceArn=archive["ArchiveArn"],
            EventStartTime=began - timedelta(minutes=1),
            EventEndTime=datetime.now(UTC) + timedelta(minutes=1),
            Destination={"Arn": bus},
        )
        for line in sorted(app.bodies(totals, 2)):
            print(line)
        app.until(lambda: replay(app)["State"] == "COMPLETED")
        print("replay:", replay(app)["State"])
        app.events.delete_archive(ArchiveName=ARCHIVE)


def replay(app):
    return app.events.describe_replay(ReplayName=REPLAY)


if __name__ == "__main__":
    main()
