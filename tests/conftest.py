"""For all tests: Hypothesis asserts no timings, since a busy machine would fail them."""

from hypothesis import settings

settings.register_profile("emberbox", deadline=None)
settings.load_profile("emberbox")
