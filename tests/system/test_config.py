"""Settings: file below environment below flag, by the table, with their source."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.core import settings as table
from muster.core.errors import MusterError
from muster.core.settings import Role
from muster.system.config import load_settings


def write(folder: Path, text: str, name: str = "muster.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def code_of(*args: object, **kwargs: object) -> str:
    with pytest.raises(MusterError) as caught:
        load_settings(*args, **kwargs)  # type: ignore[arg-type]
    return caught.value.code


def test_defaults() -> None:
    found = load_settings("host", environ={})
    assert dict(found) == table.defaults(Role.COMMON) | table.defaults(Role.HOST)
    assert {found.source(name) for name in found} == {"default"}
    assert found.warnings() == ()


def test_order_of_sources(tmp_path: Path) -> None:
    low = write(tmp_path, "log_level = 'error'\n[host]\nport = 1001\nbind = '::'\n", "low.toml")
    high = write(tmp_path, "[host]\nport = 1002\n", "high.toml")
    files = [low, high, tmp_path / "missing.toml"]
    found = load_settings("host", files, {})
    assert found.integer("port") == 1002
    assert found.text("bind") == "::"
    assert found.text("log_level") == "error"
    assert (found.source("port"), found.source("bind")) == (str(high), str(low))
    env = {"MUSTER_HOST_PORT": "1003", "MUSTER_LOG_LEVEL": "debug"}
    found = load_settings("host", files, env)
    assert (found.integer("port"), found.source("port")) == (1003, "$MUSTER_HOST_PORT")
    assert found.text("log_level") == "debug"
    found = load_settings("host", files, env, {"port": 1004, "admin-port": None})
    assert (found.integer("port"), found.source("port")) == (1004, "--port")
    assert load_settings("host", files, env, {"port": "1005"}).integer("port") == 1005


def test_roles_are_apart(tmp_path: Path) -> None:
    path = write(tmp_path, "[host]\nport = 1001\n[client]\nport = 1002\n")
    assert load_settings("client", [path], {}).integer("port") == 1002
    assert load_settings("publisher", [path], {}).integer("port") == 16882
    env = {"MUSTER_CLIENT_PORT": "1003"}
    assert load_settings("host", [path], env).integer("port") == 1001


def test_lists_and_flags(tmp_path: Path) -> None:
    path = write(tmp_path, "[client]\nsuffixes = ['a.test', 'B.test.']\nhost_caching = false\n")
    found = load_settings("client", [path], {})
    assert found.texts("suffixes") == ("a.test", "b.test")
    assert found.flag("host_caching") is False
    found = load_settings("client", [path], {"MUSTER_CLIENT_SUFFIXES": "x.test, y.test"})
    assert found.texts("suffixes") == ("x.test", "y.test")


def test_the_wrong_kind_is_a_bug() -> None:
    found = load_settings("host", environ={})
    for call, name in (
        (found.integer, "bind"),
        (found.integer, "publish_dns"),
        (found.text, "port"),
        (found.flag, "port"),
        (found.texts, "port"),
    ):
        with pytest.raises(TypeError):
            call(name)


def test_warnings() -> None:
    found = load_settings("host", environ={"MUSTER_HOST_RENEWAL_INTERVAL": "2000000"})
    (text,) = found.warnings()
    assert "host.renewal_interval" in text
    assert "30-day count" in text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("[host]\nprt = 1\n", "settings/unknown"),
        ("nothing = 1\n", "settings/unknown"),
        ("host = 1\n", "settings/unknown"),
        ("[common]\nlog_level = 'info'\n", "settings/unknown"),
        ("[host]\nport = 'x'\n", "settings/value"),
        ("[host]\nport = 1.5\n", "settings/value"),
        ("[host]\nport = 70000\n", "settings/value"),
        ("[publisher]\nport = -1\n", "settings/value"),
        ("[host\n", "file/toml"),
        ("a = 1\na = 2\n", "file/toml"),
        ("x = " + "[" * 5000, "file/toml"),
    ],
)
def test_mistakes_in_a_file(tmp_path: Path, text: str, code: str) -> None:
    assert code_of("host", [write(tmp_path, text)], {}) == code


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b"# \xfc\n")
    assert code_of("host", [path], {}) == "file/toml"
    assert code_of("host", [tmp_path], {}) == "file/not-regular"
    path.write_bytes(b"#" * 300_000)
    assert code_of("host", [path], {}) == "file/too-large"


def test_mistakes_elsewhere() -> None:
    assert code_of("host", (), {"MUSTER_HOST_PORT": "ten"}) == "settings/value"
    assert code_of("host", (), {}, {"prt": 1}) == "settings/unknown"
    assert code_of("host", (), {}, {"port": True}) == "settings/value"
    assert code_of("host", (), {}, {"port": []}) == "settings/value"


@given(st.binary(max_size=300))
def test_any_file_is_read_or_refused_by_the_catalogue(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    try:
        load_settings("host", [path], {})
    except MusterError as fault:
        assert fault.code in {"file/toml", "settings/unknown", "settings/value"}
