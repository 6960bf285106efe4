"""Measures a fresh server and, in the same run, what this machine could do at best.

`make bench` runs all of it; bench/README.md says what each figure means.
"""
