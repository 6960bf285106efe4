"""For all tests: Hypothesis asserts no timings, since a busy machine would fail them.

It tries the same examples in each run, so that what passes here passes elsewhere. Others are tried
with `make unit ARGS=--hypothesis-profile=explore`.
"""

from hypothesis import HealthCheck, settings

STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("emberbox", STEADY, derandomize=True, database=None)
settings.register_profile("explore", STEADY, max_examples=1_000)
settings.load_profile("emberbox")
