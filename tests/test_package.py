"""Laws over the tree: what is shipped, what importing costs, how long things may be."""

from __future__ import annotations

import ast
import importlib.metadata
import itertools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import MISSING, PROGRAMS

import optbench

ROOT = Path(__file__).parents[1]
SOURCES = [
    path for folder in ("optbench", "problems") for path in sorted((ROOT / folder).rglob("*.py"))
]
SCRIPTS = sorted((ROOT / "scripts").glob("*.py"))
TEXTS = [
    *(path for path in ROOT.glob("*.*") if path.suffix in {".md", ".toml", ".cff"}),
    ROOT / ".ci" / "run",
    *(
        path
        for folder in ("optbench", "problems", "tests", "scripts", "results/reference")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ),
]

MODULE_LINES = 350
SCRIPT_LINES = 60
FUNCTION_LINES = 40
POSITIONAL = 5
DRAWERS = re.compile(r"(utils?|helpers?|common|misc)(\.py)?")
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|root|home|tmp|Users)/\w")


# What is shipped


def test_every_public_name_resolves():
    for name in optbench.__all__:
        value = getattr(optbench, name)
        assert getattr(value, "__name__", name) == name, name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        getattr(optbench, "no_such_" + "name")


def test_one_version_everywhere():
    citation = (ROOT / "CITATION.cff").read_text()
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.findall(r"^version: (.+)$", citation, re.M) == [optbench.__version__]
    assert re.findall(r"^## \[(.+?)\]", changelog, re.M)[0] == optbench.__version__
    assert importlib.metadata.version("optbench") == optbench.__version__


def test_the_license_is_the_declared_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert (
        "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text()
    )


def ci_commands(script: str) -> list[str]:
    """The commands of the first paragraph that a comment naming the README opens."""
    lines = script.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("# The README"))
    named = itertools.takewhile(lambda line: line and line[0] != "#", lines[first + 1 :])
    return [*named, lines[-1]]


def test_the_readme_gives_the_commands_of_ci():
    script = (ROOT / ".ci" / "run").read_text()
    commands = ci_commands(script)
    assert commands[0].startswith("pip install") and commands[-1].startswith("pytest")
    readme = [line.strip() for line in (ROOT / "README.md").read_text().splitlines()]
    assert [command for command in commands if command not in readme] == []


# What importing costs


@pytest.mark.parametrize(
    "code",
    [
        "import optbench",
        "import optbench.errors, optbench.catalog, optbench.environment",
        "import optbench.results, optbench.report.export",
        "from optbench.cli import main; main(['--help'], standalone_mode=False)",
        "from optbench.cli import main; main(['--version'], standalone_mode=False)",
    ],
)
def test_jax_is_not_imported(code: str, fresh_python):
    assert fresh_python(f"{code}\nimport sys; print(); print('jax' in sys.modules)")[-1] == "False"


def test_importing_changes_no_jax_setting(fresh_python):
    code = (
        "import jax; before = dict(jax.config.values)\n"
        "import optbench; [getattr(optbench, name) for name in optbench.__all__]\n"
        "import problems; from optbench.catalog import collect; collect(problems, 'Problem')\n"
        "print({k for k, v in jax.config.values.items() if before.get(k, v) != v})"
    )
    assert fresh_python(code) == ["set()"]


# How long things may be, and what they may be called


def too_long(path: Path, source: str, limit: int = MODULE_LINES) -> Iterator[str]:
    """Modules and functions beyond the limits, docstrings of functions not counted."""
    if (length := len(source.splitlines())) > limit:
        yield f"{path}: {length} lines"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            code = node.body[ast.get_docstring(node) is not None :] or node.body
            signature = node.body[0].lineno - node.lineno
            if (length := signature + node.end_lineno - code[0].lineno + 1) > FUNCTION_LINES:
                yield f"{path}:{node.lineno} {node.name}: {length} lines"
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
            if (count := len(names) - (names[:1] in (["self"], ["cls"]))) > POSITIONAL:
                yield f"{path}:{node.lineno} {node.name}: {count} positional arguments"


def test_modules_and_functions_stay_short():
    found = [v for p in SOURCES for v in too_long(p.relative_to(ROOT), p.read_text())]
    found += [
        v for p in SCRIPTS for v in too_long(p.relative_to(ROOT), p.read_text(), SCRIPT_LINES)
    ]
    assert found == []


def test_there_are_no_drawers():
    folders = ("optbench", "problems", "tests", "scripts")
    found = [p for f in folders for p in (ROOT / f).rglob("*") if DRAWERS.fullmatch(p.name)]
    assert found == []


def test_no_text_names_a_place_on_one_machine():
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in TEXTS
        for line in path.read_text(errors="ignore").splitlines()
        if MACHINE_PATH.search(line)
    ]
    assert found == []


# Each law rejects a planted defect


def body(lines: int, docstring: int = 0) -> str:
    quoted = ['    """Says it.', *[""] * docstring, '    """'] if docstring else []
    return "\n".join(["def f(", "    a,", "):", *quoted, *["    a += 1"] * lines])


def test_the_length_law_counts_signature_and_body_but_no_docstring():
    assert not list(too_long(Path("m.py"), body(37)))
    assert list(too_long(Path("m.py"), body(38))) == ["m.py:1 f: 41 lines"]
    assert not list(too_long(Path("m.py"), body(37, docstring=50)))
    assert list(too_long(Path("m.py"), body(38, docstring=50))) == ["m.py:1 f: 41 lines"]
    assert list(too_long(Path("m.py"), "x = 1\n" * 351)) == ["m.py: 351 lines"]
    assert not list(too_long(Path("m.py"), "x = 1\n" * 350))


def test_the_length_law_counts_positional_arguments():
    assert not list(too_long(Path("m.py"), "def f(self, a, b, c, d, e, *args, g, h): ..."))
    found = list(too_long(Path("m.py"), "def f(a, b, c, /, d, e, g): ..."))
    assert found == ["m.py:1 f: 6 positional arguments"]


def test_the_name_laws_reject_drawers_and_machine_paths():
    for name in ("utils.py", "util", "helpers", "common.py", "misc.py"):
        assert DRAWERS.fullmatch(name), name
    for name in ("trees.py", "commons.py", "statistics.py"):
        assert not DRAWERS.fullmatch(name), name
    for folder in ("home", "root", "tmp"):
        assert MACHINE_PATH.search(f"see /{folder}/someone"), folder
    for text in ("https://example.org/home/page", "results/tmp/x", "~/tmp/x", "a /homely b"):
        assert not MACHINE_PATH.search(text), text


def test_a_ci_command_that_the_readme_lacks_is_seen():
    script = (
        "set -e\n\n# The README gives these.\npip install .\nruff check\n# Other.\nls\npytest -q\n"
    )
    assert ci_commands(script) == ["pip install .", "ruff check", "pytest -q"]


@pytest.mark.parametrize(
    "code",
    [
        "import pytest\ndef test_x(): pytest.skip('why')",
        "import pytest\n@pytest.mark.skip\ndef test_x(): pass",
        "import pytest\n@pytest.mark.xfail\ndef test_x(): assert False",
        "import pytest\npytest.importorskip('no_such_module')\ndef test_x(): pass",
        "def f():\n    '''\n    >>> f()  # doctest: +SKIP\n    '''",
    ],
)
def test_a_skip_is_a_failure(code: str, tmp_path: Path, pytestconfig: pytest.Config):
    law = pytestconfig.pluginmanager.get_plugin("nothing-skipped")
    failed = (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    for name, plugins in {"without": [], "with": [law]}.items():
        planted = tmp_path / f"{tmp_path.name}_{name}.py"  # never a module that is loaded already
        planted.write_text(code)
        options = ["--doctest-modules", "--import-mode=importlib", f"--rootdir={tmp_path}"]
        assert (pytest.main([*options, str(planted)], plugins=plugins) in failed) == bool(plugins)


@pytest.mark.parametrize("strict", [False, True])
def test_a_skip_for_want_of_a_browser_is_a_failure_only_in_ci(
    strict: bool, tmp_path: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("OPTBENCH_NO_SKIPS", raising=False)
    if strict:
        monkeypatch.setenv("OPTBENCH_NO_SKIPS", "1")
    planted = tmp_path / f"{tmp_path.name}_browser.py"
    planted.write_text(f"import pytest\ndef test_x(): pytest.skip({MISSING!r})")
    law = pytestconfig.pluginmanager.get_plugin("nothing-skipped")
    options = ["--import-mode=importlib", f"--rootdir={tmp_path}", str(planted)]
    assert pytest.main(options, plugins=[law]) == pytest.ExitCode(int(strict))


def test_ci_allows_no_skip_and_installs_the_browser():
    script = (ROOT / ".ci" / "run").read_text()
    assert "export OPTBENCH_NO_SKIPS=1\n" in script
    assert re.search(r"apt-get install .*--no-install-recommends .*\bchromium\b", script)
    assert all(program in script for program in PROGRAMS)
