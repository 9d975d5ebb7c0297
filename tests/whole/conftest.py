"""The wind farm on the session's stack: January and February 2014, statistics over January."""

import pytest

from fogline.stack.stack import Stack
from tests.support.farm import Farm


@pytest.fixture(scope="session")
def farm(stack: Stack) -> Farm:
    farm = Farm(stack)
    farm.replay()
    farm.initialise()
    return farm
