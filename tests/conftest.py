"""What holds for every test: annotations are checked, shapes never promoted, nothing skipped."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import browser
import jax
import pytest
import runtime_types
from playwright.sync_api import Browser, Page

runtime_types.check_packages("optbench", "problems")

# Programs of the sizes of tests compile a third faster without; later versions have no such flag.
if jax.__version_info__ < (0, 11):
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")

os.environ["COLUMNS"] = "100"  # tables are as wide in every terminal

Report = pytest.TestReport | pytest.CollectReport
ALLOWED_SKIPS = frozenset({browser.MISSING})  # reasons; none of them where STRICT is set
STRICT = "OPTBENCH_NO_SKIPS"
MAPPINGS = Path("/proc/self/maps")  # of the memory of this process, one a line, on Linux
MOST_MAPPINGS = 25_000  # Linux allows 65,530; every compiled program takes several


class NothingSkipped:
    """Turns a skip, and a failure that was expected, into a failure."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item):
        return failed_if_skipped((yield))

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector):
        return failed_if_skipped((yield))


def failed_if_skipped(report: Report) -> Report:
    if report.skipped and not _is_allowed(report):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped: {report.longrepr}"
        vars(report).pop("wasxfail", None)  # with it, pytest's exit status would not tell
    return report


def _is_allowed(report: Report) -> bool:
    if os.environ.get(STRICT) or not isinstance(report.longrepr, tuple):
        return False
    _, _, reason = report.longrepr
    return reason.removeprefix("Skipped: ") in ALLOWED_SKIPS


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(NothingSkipped(), "nothing-skipped")
    jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(autouse=True, scope="module")
def _programs_forgotten():
    """Let go of compiled programs before the process runs out of memory mappings, and crashes."""
    yield
    if MAPPINGS.exists() and MAPPINGS.read_bytes().count(b"\n") > MOST_MAPPINGS:
        from optbench.program import forget_programs

        forget_programs()
        jax.clear_caches()
        gc.collect()


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


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser, one for each process of pytest."""
    executable = browser.program()
    if executable is None:
        pytest.skip(browser.MISSING)
    with browser.chromium(executable) as started:
        yield started


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """(path, dark=, width=, height=, reduced_motion=) -> a page, watched until the test ends."""
    with contextlib.ExitStack() as opened:
        yield lambda path, **view: opened.enter_context(
            browser.watched_page(chromium, path, **view)
        )
