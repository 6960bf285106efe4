"""A message that the function cannot take becomes a dead letter; mended, it is redriven."""

from pathlib import Path

from examples.common import Application

FOLDER = Path(__file__).parent
MENDED = ("payment['amount']", "float(payment['amount'])")


def main():
    with Application(FOLDER) as app:
        receipts, dead = app.queue("receipts"), app.queue("dead-payments")
        payments = app.queue("payments", dead_letters=dead, after=2, VisibilityTimeout="6")
        app.function("charge", "charge", {"RECEIPTS": "receipts"}, timeout=6)
        app.feed("charge", payments, BatchSize=1)
        app.send(payments, '{"amount": 250}', '{"amount": "990"}')
        print("receipt:", *app.bodies(receipts, 1))
        wait_for_dead_letters(app, dead)
        app.replace("charge", (FOLDER / "charge.py").read_text().replace(*MENDED))
        app.sqs.start_message_move_task(SourceArn=app.arn(dead))
        print("receipt:", *app.bodies(receipts, 1))


def wait_for_dead_letters(app, dead):
    """Tell what the dead letter says, and leave it where it is."""
    found = []
    while not found:
        found = app.sqs.receive_message(
            QueueUrl=dead, WaitTimeSeconds=5, AttributeNames=["All"]
        ).get("Messages", [])
    (letter,) = found
    print("dead letter:", letter["Body"])
    app.sqs.change_message_visibility(
        QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"], VisibilityTimeout=0
    )


if __name__ == "__main__":
    main()
