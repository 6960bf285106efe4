"""A batch with good and bad rows: only the bad ones come back, and end as dead letters."""

from pathlib import Path

from examples.common import Application


def main():
    with Application(Path(__file__).parent) as app:
        bad = app.queue("bad-rows")
        rows = app.queue("rows", dead_letters=bad, after=2, VisibilityTimeout="4")
        app.function("import-rows", "import_rows", timeout=4)
        app.feed("import-rows", rows, FunctionResponseTypes=["ReportBatchItemFailures"])
        app.send(rows, "1.5", "two", "3", "many", "6.25")
        for message in sorted(app.read(bad, 2), key=lambda message: message["Body"]):
            print("bad row:", message["Body"])


if __name__ == "__main__":
    main()
