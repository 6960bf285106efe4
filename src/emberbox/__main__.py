"""`python -m emberbox` is the same as `emberbox`."""

from emberbox.cli.main import main

if __name__ == "__main__":
    main()
