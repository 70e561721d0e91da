"""Tests; what fails in `tests.support` says as much as what fails in a test."""

import pytest

pytest.register_assert_rewrite("tests.support")
