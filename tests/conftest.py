"""What holds for every test: annotations are checked, shapes never promoted, nothing skipped."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import pytest
from jaxtyping import install_import_hook

# An int is a float, as PEP 484 says.
CHECKED = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
install_import_hook(["optbench", "problems"], CHECKED)

# Programs of the sizes of tests compile a third faster without; later versions have no such flag.
if jax.__version_info__ < (0, 11):
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")

Report = pytest.TestReport | pytest.CollectReport
ALLOWED_SKIPS: frozenset[str] = frozenset()  # node ids
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
    if report.skipped and report.nodeid not in ALLOWED_SKIPS:
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped: {report.longrepr}"
        vars(report).pop("wasxfail", None)  # with it, pytest's exit status would not tell
    return report


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
