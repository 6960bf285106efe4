"""What the mixed soak takes for a right answer."""

import pytest

from bench.client import Answer
from bench.mixed_soak import judge
from bench.mixed_subjects import SUBJECTS

OF_EXTENSION = b'{"errorType":"Runtime.OutOfMemory","errorMessage":"Error: exit status 9"}'


@pytest.mark.parametrize(
    ("action", "is_right"), [("allocate", True), ("work", False), ("exit", False)]
)
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda each: each.name)
def test_an_extension_may_be_killed_for_memory_that_a_function_takes(subject, action, is_right):
    """Where there is one, and where the function was asked to take too much; never else."""
    answer = Answer(200, OF_EXTENSION, is_function_error=True, seconds=0.1)

    said = judge(subject, action, 7, answer)

    assert (said == action) is (is_right and subject.extended)
