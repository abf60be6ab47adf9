"""Settings come from where their author wrote them, in a stated order, and every mistake is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pellucid.dotenv import parse_dotenv
from pellucid.settings import GROUPS, IN_DEV, SETTINGS, Settings, SettingsError, load, shown, split_app


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_without_any_source_the_defaults_hold(tmp_path: Path) -> None:
    loaded = load(cwd=tmp_path)
    assert loaded.settings == Settings(database=str(tmp_path / "data.db"))
    assert {source.kind for source in loaded.sources.values()} == {"default"}


def test_dev_starts_from_its_own_defaults(tmp_path: Path) -> None:
    settings = load({"mode": "dev"}, cwd=tmp_path).settings
    assert {name: getattr(settings, name) for name in IN_DEV} == dict(IN_DEV)


def test_a_flag_beats_the_environment_beats_dotenv_beats_pyproject_beats_the_default(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "[tool.pellucid]\nport = 1\nhost = 'toml'\nworkers = 2\nreaders = 9\n")
    write(tmp_path, ".env", "PELLUCID_PORT=3\nPELLUCID_HOST=dotenv\nPELLUCID_WORKERS=4\n")
    environ = {"PELLUCID_PORT": "5", "PELLUCID_HOST": "environment"}
    loaded = load({"port": 6}, environ=environ, cwd=tmp_path)
    got = {name: (getattr(loaded.settings, name), loaded.sources[name].kind) for name in ("port", "host", "workers", "readers")}
    assert got == {
        "port": (6, "flag"),
        "host": ("environment", "environment"),
        "workers": (4, ".env"),
        "readers": (9, "pyproject.toml"),
    }
    assert loaded.sources["readers"].where == f"{tmp_path / 'pyproject.toml'}:5"
    assert loaded.sources["workers"].where == f"{tmp_path / '.env'}:3"


def test_the_files_beside_the_app_come_before_those_of_the_current_folder(tmp_path: Path) -> None:
    app = write(tmp_path / "shop", "app.py", "")
    write(tmp_path / "shop", ".env", "PELLUCID_PORT=1")
    write(tmp_path, ".env", "PELLUCID_PORT=2\nPELLUCID_HOST=here")
    settings = load(app_file=app, cwd=tmp_path).settings
    assert (settings.port, settings.host) == (1, "here")


def test_dotenv_in_either_folder_comes_before_pyproject(tmp_path: Path) -> None:
    app = write(tmp_path / "shop", "app.py", "")
    write(tmp_path / "shop", "pyproject.toml", "[tool.pellucid]\nport = 1")
    write(tmp_path, ".env", "PELLUCID_PORT=2")
    assert load(app_file=app, cwd=tmp_path).settings.port == 2


def test_a_path_is_relative_to_where_it_was_written(tmp_path: Path) -> None:
    app = write(tmp_path / "shop", "app.py", "")
    write(tmp_path / "shop", ".env", "PELLUCID_TLS_KEY=key.pem\nPELLUCID_TLS_CERTIFICATE=~/cert.pem")
    loaded = load({"database": "x.db"}, app_file=app, cwd=tmp_path)
    assert loaded.settings.database == str(tmp_path / "x.db")
    assert loaded.settings.tls_key == str(tmp_path / "shop" / "key.pem")
    assert loaded.settings.tls_certificate == str(Path("~/cert.pem").expanduser())
    assert load(app_file=app, cwd=tmp_path).settings.database == str(tmp_path / "shop" / "data.db")


def test_pyproject_can_name_the_app_and_its_folder_then_counts(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "[tool.pellucid]\napp = 'shop/app.py:site'")
    write(tmp_path / "shop", ".env", "PELLUCID_PORT=7")
    settings = load(cwd=tmp_path).settings
    assert settings.app == f"{tmp_path / 'shop' / 'app.py'}:site"
    assert (settings.port, settings.database) == (7, str(tmp_path / "shop" / "data.db"))


def test_all_wrong_values_are_named_at_once_with_their_places(tmp_path: Path) -> None:
    write(tmp_path, ".env", "\nPELLUCID_WORKERS=many")
    write(tmp_path, "pyproject.toml", "[tool.pellucid]\naccess_log = 'perhaps'\n")
    with pytest.raises(SettingsError) as caught:
        load({"port": "80801"}, environ={"PELLUCID_LOG_FORMAT": "xml", "PELLUCID_GRACE": "-1"}, cwd=tmp_path)
    assert {str(wrong) for wrong in caught.value.wrong} == {
        "--port: port must be a whole number from 0 to 65535, not '80801'",
        f"{tmp_path / '.env'}:2: workers must be a whole number, at least 0, not 'many'",
        f"{tmp_path / 'pyproject.toml'}:2: access_log must be on or off, not 'perhaps'",
        "PELLUCID_LOG_FORMAT: log_format must be pretty or json, not 'xml'",
        "PELLUCID_GRACE: grace must be a number, at least 0, not '-1'",
    }


def test_an_unknown_variable_is_named_with_the_nearest_real_one(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "[tool.pellucid]\nworker = 2")
    write(tmp_path, ".env", "STRIPE_KEY=not ours")
    first, second = load(environ={"PELLUCID_PROT": "1"}, cwd=tmp_path).warnings
    assert first.startswith("PELLUCID_PROT is not a setting (did you mean 'PELLUCID_PORT'")
    assert second.startswith(f"{tmp_path / 'pyproject.toml'}:2: worker is not a setting (did you mean 'workers'")


def test_a_secret_can_be_read_from_a_file_and_is_never_shown(tmp_path: Path) -> None:
    secret = write(tmp_path, "secret", "postgresql://shop:hunter2@db/shop\n")
    loaded = load(environ={"PELLUCID_DATABASE_FILE": str(secret)}, cwd=tmp_path)
    assert loaded.settings.database == "postgresql://shop:hunter2@db/shop"
    assert shown(SETTINGS["database"], loaded.settings.database) == "postgresql://shop:***@db/shop"
    with pytest.raises(SettingsError, match="cannot be read from gone: No such file"):
        load(environ={"PELLUCID_DATABASE_FILE": "gone"}, cwd=tmp_path)


def test_a_token_is_read_from_a_file_is_never_shown_and_is_not_short(tmp_path: Path) -> None:
    secret = write(tmp_path, "secret", "correct horse battery\n")
    loaded = load(environ={"PELLUCID_ANATOMY_TOKEN_FILE": str(secret)}, cwd=tmp_path)
    assert loaded.settings.anatomy_token == "correct horse battery"
    assert shown(SETTINGS["anatomy_token"], loaded.settings.anatomy_token) == "***"
    with pytest.raises(SettingsError, match=r"anatomy_token must be a text of at least 16 characters, not \*\*\*$"):
        load(environ={"PELLUCID_ANATOMY_TOKEN": "hunter2"}, cwd=tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("max_body_bytes", "10M", 10 << 20),
        ("max_body_bytes", "64 KiB", 64 << 10),
        ("max_body_bytes", "7", 7),
        ("access_log", "yes", True),
        ("access_log", "OFF", False),
        ("grace", "2.5", 2.5),
        ("cors_origins", "https://a.org, http://b.org:8080", ("https://a.org", "http://b.org:8080")),
        ("public_url", "", None),
        ("public_url", "https://example.org/shop", "https://example.org/shop"),
    ],
)
def test_texts_are_understood_as_their_settings_type(name: str, text: str, value: object, tmp_path: Path) -> None:
    assert getattr(load(environ={f"PELLUCID_{name.upper()}": text}, cwd=tmp_path).settings, name) == value


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"PELLUCID_TLS_KEY": "k"}, "tls_key needs tls_certificate as well"),
        ({"PELLUCID_PUBLIC_URL": "example.org"}, "public_url must be like https://example.org"),
        ({"PELLUCID_CORS_ORIGINS": "https://a.org/x"}, "an origin is like https://example.org"),
        ({"PELLUCID_STATEMENT_TIMEOUT": "0"}, "statement_timeout must be a number, more than 0"),
        ({"PELLUCID_MAX_BODY_BYTES": "lots"}, "max_body_bytes must be a size in bytes such as 8192 or 10M"),
    ],
)
def test_a_wrong_value_says_what_would_be_right(environ: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=message):
        load(environ=environ, cwd=tmp_path)


def test_broken_files_are_named(tmp_path: Path) -> None:
    write(tmp_path, "pyproject.toml", "[tool.pellucid\n")
    write(tmp_path, ".env", "A=1\nPELLUCID_HOST='open")
    with pytest.raises(SettingsError) as caught:
        load(cwd=tmp_path)
    assert any(wrong.message == "the quote ' is not closed" and wrong.where.endswith(".env:2") for wrong in caught.value.wrong)
    assert any(wrong.message.startswith("not valid TOML") for wrong in caught.value.wrong)


def test_every_setting_has_a_group_and_a_description() -> None:
    assert list(SETTINGS) == [name for names in GROUPS.values() for name in names]
    assert set(SETTINGS) == set(Settings.__struct_fields__)
    assert all(setting.description for setting in SETTINGS.values())


def test_an_app_is_a_file_with_an_optional_variable() -> None:
    assert split_app("shop.py") == ("shop.py", "app")
    assert split_app("a/shop.py:site") == ("a/shop.py", "site")
    assert split_app("C:/shop.py") == ("C:/shop.py", "app")


def test_dotenv_files_are_read_as_people_write_them() -> None:
    text = """\ufeff
    # a comment
    export A=1
    B = two words # a comment
    C="a \\"quoted\\" # value\\n"  # a comment
    D='$HOME \\n'
    E=
    F=a#b
    G=# nothing
    """
    assert [(name, value) for name, value, _ in parse_dotenv(text)] == [
        ("A", "1"), ("B", "two words"), ("C", 'a "quoted" # value\n'), ("D", "$HOME \\n"), ("E", ""), ("F", "a#b"), ("G", ""),
    ]  # fmt: skip


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")))
def test_any_value_survives_double_quotes(value: str) -> None:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_dotenv(f'A="{quoted}"') == [("A", value, 1)]


@given(st.text())
def test_no_text_breaks_the_dotenv_parser_otherwise_than_by_a_message_with_a_line(text: str) -> None:
    try:
        parse_dotenv(text)
    except ValueError as error:
        message, line = error.args
        assert message
        assert line >= 1
