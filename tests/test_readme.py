"""What the README shows is run."""

from __future__ import annotations

import collections
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from optbench.catalog import collect
from optbench.cli import main
from optbench.optimizers.names import OPTIMIZERS

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def block_with(text: str) -> str:
    (found,) = [block for block in BLOCKS if text in block]
    return found


def test_somebodys_own_loss_is_compared_in_three_lines(folder, capsys):
    exec(compile(block_with("optbench.compare("), "README", "exec"), {})
    assert "adam" in capsys.readouterr().out
    assert list((folder / "figures").glob("*.svg"))


def test_a_stranger_adds_a_problem_and_an_optimizer(folder):
    mine = folder / "my_file.py"
    mine.write_text(block_with("def my_problem(") + "\n\n" + block_with("def my_sign_descent("))
    for entry in ("my_problem", "my_sign_descent"):
        checked = CliRunner().invoke(main, ["check", f"my_file.py:{entry}"])
        assert checked.exit_code == 0, checked.output
    arguments = ["run", "--problem", "my_file.py:my_problem", "--seeds", "2", "--budget", "50"]
    arguments += ["--optimizer", "my_file.py:my_sign_descent", "--optimizer", "adam"]
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 0, ran.output
    assert "sign_descent" in (folder / "results" / "adhoc" / "summary.md").read_text()
    wrong = CliRunner().invoke(main, [*arguments, "--optimizer", "adm"])
    assert wrong.exit_code == 2
    assert "did you mean 'adam'" in wrong.output


def test_the_catalog_is_counted_right():
    found = collections.Counter(
        factory.__module__.split(".")[1] for factory in collect("problems", "Problem").values()
    )
    assert f"{sum(found.values())} test objectives" in README
    assert f"{len(collect(OPTIMIZERS, 'Optimizer'))} optimizers" in README
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (\d+) \|", README, re.MULTILINE)
    shown = {tuple(re.findall(r"\w+", families)): int(number) for families, number in rows}
    assert {family for families in shown for family in families} == set(found)
    assert all(sum(found[f] for f in families) == n for families, n in shown.items())


def test_every_command_shown_exists():
    code = "\n".join(README.split("```")[1::2])
    shown = set(re.findall(r"^optbench (\w+)", code, re.MULTILINE))
    assert shown == set(main.commands)


def test_the_tree_is_the_tree():
    root = Path(__file__).parents[1]
    block = README[README.index("## The tree") :].split("```")[1]
    for name in re.findall(r"[a-z_]+(?:\.py|/)", block):
        found = [root / name, root / "optbench" / name, root / "results" / name]
        assert any(path.exists() for path in found), name
