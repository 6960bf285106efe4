"""A rule on a bus of one's own transforms events for a function."""

from pathlib import Path

from examples.common import Application

BUS = "example-orders"


def main():
    with Application(Path(__file__).parent) as app:
        packed = app.queue("packed")
        pack = app.function("pack", "pack", {"PACKED": "packed"})
        app.bus(BUS)
        app.rule(
            "abroad",
            BUS,
            {
                "source": ["my.shop"],
                "detail-type": ["order paid"],
                "detail": {
                    "total": [{"numeric": [">=", 100]}],
                    "to": {"country": [{"anything-but": ["DE"]}]},
                },
            },
            Arn=pack,
            InputTransformer={
                "InputPathsMap": {
                    "id": "$.detail.id",
                    "name": "$.detail.to.name",
                    "country": "$.detail.to.country",
                    "count": "$.detail.parcels",
                },
                "InputTemplate": (
                    '{"order": <id>, "label": "<name> in <country>", "count": <count>}'
                ),
            },
        )
        app.tell(
            BUS,
            "my.shop",
            "order paid",
            order("A1", 250, "Ann", "DE"),
            order("A2", 20, "Bob", "FR"),
            order("A3", 500, "Eve", "NO"),
        )
        print(*app.bodies(packed, 1))


def order(number, total, name, country):
    return {
        "id": number,
        "total": total,
        "parcels": 2,
        "to": {"name": name, "country": country},
    }


if __name__ == "__main__":
    main()
