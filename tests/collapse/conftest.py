"""What the tests of loops share: a comparison of a simulation with a law, within the simulation's own error."""

import pytest
from adaptive_neon.collapse.metrics import mean

STANDARD_ERRORS = 4.0  # of a mean over seeds; with fixed seeds a test that passes once passes always


@pytest.fixture
def agrees():
    """`agrees(values, law)`: the mean over the seeds is within four standard errors of the law."""

    def check(values, law):
        found = mean(values)
        assert abs(found.value - law) <= STANDARD_ERRORS * found.error, (found, law)

    return check
