"""Twenty customers, five orders each, a function that fails at random: every customer in order."""

import random
from pathlib import Path

from examples.common import Application

CUSTOMERS = [f"customer-{n}" for n in range(20)]
ORDERS = 5


def main():
    with Application(Path(__file__).parent) as app:
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        orders = app.queue("orders.fifo", VisibilityTimeout="5", **fifo)
        done = app.queue("done.fifo", **fifo)
        app.function("orders", "orders", {"DONE": "done.fifo"}, timeout=5, concurrency=3)
        app.feed(
            "orders",
            orders,
            ScalingConfig={"MaximumConcurrency": 3},
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )
        for number in range(ORDERS):
            for customer in random.sample(CUSTOMERS, len(CUSTOMERS)):
                app.sqs.send_message(
                    QueueUrl=orders, MessageBody=f"{customer} {number}", MessageGroupId=customer
                )
        found = app.bodies(done, ORDERS * len(CUSTOMERS))
        print(f"{len(found)} orders, each once: {len(set(found)) == len(found)}")
        for customer in CUSTOMERS:
            mine = [body for body in found if body.startswith(f"{customer} ")]
            if mine != [f"{customer} {number}" for number in range(ORDERS)]:
                print(f"out of order: {mine}")
        print("every customer's orders were looked at")


if __name__ == "__main__":
    main()
