"""Numbers go into one queue, a function doubles them, results come out of another."""

from pathlib import Path

from examples.common import Application


def main():
    with Application(Path(__file__).parent) as app:
        numbers, results = app.queue("numbers"), app.queue("results")
        app.function("double", "double", {"RESULTS": "results"})
        app.feed("double", numbers)
        app.send(numbers, "1", "2", "3")
        for line in sorted(app.bodies(results, 3)):
            print(line)


if __name__ == "__main__":
    main()
