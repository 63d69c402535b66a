"""What the README shows is run."""

from __future__ import annotations

import collections
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from optbench.bounds.names import THEOREMS
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


def families(heading: str) -> dict[tuple[str, ...], int]:
    """The rows of a section's table: families -> how many entries they have."""
    section = README[README.index(heading) :].split("\n## ")[0]
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (\d+) \|", section, re.MULTILINE)
    return {tuple(re.findall(r"\w+", names)): int(number) for names, number in rows}


@pytest.mark.parametrize(
    ("heading", "package", "returns"),
    [("## The problems", "problems", "Problem"), ("## The theorems", THEOREMS, "Theorem")],
)
def test_the_catalogs_are_counted_right(heading: str, package: str, returns: str):
    depth = package.count(".") + 1
    found = collections.Counter(
        factory.__module__.split(".")[depth] for factory in collect(package, returns).values()
    )
    shown = families(heading)
    assert {family for names in shown for family in names} == set(found)
    assert all(sum(found[f] for f in names) == number for names, number in shown.items())
    total = {"Problem": f"{sum(found.values())} test objectives"}
    assert total.get(returns, f"{sum(found.values())} statements about convergence") in README


def test_the_optimizers_are_counted_right():
    assert f"{len(collect(OPTIMIZERS, 'Optimizer'))} optimizers" in README


def test_a_stranger_states_a_theorem(folder):
    """It is attained; with a constant that is wrong it would not be."""
    text = block_with("def my_contraction(")
    wrong = text.replace("R: ((L", "R: 0.97 * ((L")
    for name, said, code, verdict in (("mine", text, 0, "holds"), ("wrong", wrong, 1, "crossed")):
        (folder / f"{name}.py").write_text(said)
        shown = CliRunner().invoke(main, ["bounds", f"{name}.py:my_contraction"])
        assert shown.exit_code == code, shown.output
        assert shown.stdout.splitlines()[1].split()[:2] == ["my_contraction", verdict]


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
