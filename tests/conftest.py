"""Which tests run where: `make test` is offline and fast; CI runs all, and there a skipped test is a failed one."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With BUILDER_TESTS_MUST_RUN=1 a skip is a failure: it would hide that something was not installed or started."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("BUILDER_TESTS_MUST_RUN") == "1":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped where everything must run: {call.excinfo and call.excinfo.value}"
    return report
