"""The command line: thin commands over the server's own API."""
