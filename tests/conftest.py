"""What holds for every test: annotations are checked, shapes never promoted, nothing skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import pytest
from jaxtyping import install_import_hook

install_import_hook(["optbench", "problems"], "beartype.beartype")

ALLOWED_SKIPS: frozenset[str] = frozenset()  # node ids


class NothingSkipped:
    """Turns a skip, and a failure that was expected, into a failure."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item):
        report = yield
        if report.skipped and item.nodeid not in ALLOWED_SKIPS:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} was skipped: {report.longrepr}"
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector):
        report = yield
        if report.skipped and collector.nodeid not in ALLOWED_SKIPS:
            report.outcome = "failed"
            report.longrepr = f"{collector.nodeid} was skipped: {report.longrepr}"
        return report


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(NothingSkipped(), "nothing-skipped")
    jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session")
def fresh_python() -> Callable[..., list[str]]:
    """(code, **environment variables) -> what a fresh interpreter prints, in lines."""

    def run(code: str, **variables: object) -> list[str]:
        environ = os.environ | {name: str(value) for name, value in variables.items()}
        command = [sys.executable, "-W", "error", "-c", code]
        root = Path(__file__).parents[1]
        done = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run
