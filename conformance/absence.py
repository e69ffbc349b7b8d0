"""What a test needs and the machine has not."""

import os
from typing import NoReturn

import pytest


def absent(reason: str) -> NoReturn:
    """Skips, but fails in CI, where everything that a test needs is to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
