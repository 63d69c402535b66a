from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import stat
import sys

import jax
import pytest

import optbench
from optbench import environment
from optbench.environment import (
    Environment,
    cache_folder,
    describe_environment,
    enable_compilation_cache,
)
from optbench.errors import OptbenchError

# The record


def test_versions_are_the_installed_ones():
    versions = describe_environment().versions
    assert versions["python"] == platform.python_version()
    assert versions["optbench"] == optbench.__version__
    assert versions["numpy"] == importlib.import_module("numpy").__version__
    assert versions["jax"] == jax.__version__


def test_an_absent_package_has_no_version(monkeypatch):
    monkeypatch.setattr(environment, "PACKAGES", ("no-such-package",))
    assert describe_environment().versions["no-such-package"] is None


def test_record_survives_json():
    record = describe_environment(dtype="float32", compile_options={"some_option": False})
    text = record.to_json()
    assert Environment.from_json(text) == record
    assert Environment.from_json(text).to_json() == text
    assert json.loads(text)["compile_options"] == {"some_option": False}
    assert json.loads(text)["dtype"] == "float32"


def test_flags_are_recorded(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
    assert describe_environment().xla_flags == "--xla_cpu_enable_fast_math=false"
    monkeypatch.delenv("XLA_FLAGS")
    assert describe_environment().xla_flags == ""


def test_processor_is_the_model_or_unknown(tmp_path, monkeypatch):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU: 2 GHz\nmodel name\t: other\n")
    assert environment._processor(cpuinfo) == "Some CPU: 2 GHz"
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert environment._processor(tmp_path / "absent") is None


def test_device_is_known_where_jax_is_loaded_and_loads_nothing(fresh_python):
    assert describe_environment().device == jax.devices()[0].device_kind
    code = (
        "import sys; from optbench.environment import describe_environment as d;"
        "print(d().device, d().versions['jax'], 'jax' in sys.modules)"
    )
    assert fresh_python(code) == [f"None {importlib.metadata.version('jax')} False"]


# The cache folder


def test_cache_folder_is_private_and_stays(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "new"))
    folder = cache_folder()
    assert folder == tmp_path / "new" / "optbench"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert cache_folder() == folder


def test_without_a_named_place_the_cache_lies_below_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for named in ("", "relative"):  # a relative path is to be ignored: XDG base directories, 0.8
        monkeypatch.setenv("XDG_CACHE_HOME", named)
        monkeypatch.setattr(sys, "platform", "linux")
        assert cache_folder() == tmp_path / ".cache" / "optbench"
        monkeypatch.setattr(sys, "platform", "darwin")
        assert cache_folder() == tmp_path / "Library" / "Caches" / "optbench"


def shared_parent(base):
    base.chmod(0o777)


def readable_by_others(base):
    (base / "optbench").mkdir()
    (base / "optbench").chmod(0o755)


def link_to_elsewhere(base):
    (base / "elsewhere").mkdir(mode=0o700)
    (base / "optbench").symlink_to(base / "elsewhere")


def file_in_its_place(base):
    (base / "optbench").write_text("")


@pytest.mark.parametrize(
    "spoil", [shared_parent, readable_by_others, link_to_elsewhere, file_in_its_place]
)
def test_a_folder_open_to_others_is_refused(spoil, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    spoil(tmp_path)
    with pytest.raises(OptbenchError, match="cache folder") as caught:
        cache_folder()
    assert "XDG_CACHE_HOME" in caught.value.hint


def test_a_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache_folder()
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    with pytest.raises(OptbenchError, match="cache folder"):
        cache_folder()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache_folder()
    monkeypatch.setattr(os, "access", lambda *_: False)  # chmod does not stop a superuser
    with pytest.raises(OptbenchError, match="cannot be written"):
        cache_folder()


# The compilation cache

COMPILE = """
import jax
from optbench.environment import enable_compilation_cache
events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
print(enable_compilation_cache())
jax.jit(lambda x: x * 2)(1.0)
print(events.count("/jax/compilation_cache/cache_hits"))
"""


def test_a_second_process_finds_what_the_first_compiled(tmp_path, fresh_python):
    assert fresh_python(COMPILE, XDG_CACHE_HOME=tmp_path) == ["None", "0"]
    assert list((tmp_path / "optbench").glob("jit_*"))
    assert fresh_python(COMPILE, XDG_CACHE_HOME=tmp_path) == ["None", "1"]


def test_the_users_own_folder_is_kept(tmp_path, fresh_python):
    folders = {"XDG_CACHE_HOME": tmp_path / "xdg", "JAX_COMPILATION_CACHE_DIR": tmp_path / "own"}
    assert fresh_python(COMPILE, **folders) == ["None", "0"]
    assert list((tmp_path / "own").glob("jit_*"))
    assert not (tmp_path / "xdg").exists()


def test_without_a_folder_the_run_goes_on(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "below"))
    before = jax.config.values["jax_compilation_cache_dir"]
    note = enable_compilation_cache()
    assert note == "compiling without a cache: no cache folder can be made (Not a directory)"
    assert jax.config.values["jax_compilation_cache_dir"] is before
