"""Settings: one frozen, typed object, and where each of its values came from.

In: flags, environment variables (`PELLUCID_PORT`), `.env` files, `[tool.pellucid]` in pyproject.toml, in this order of
precedence. Out: `Loaded`, or one `SettingsError` that names every wrong value and where it stands. Nothing here imports
the user's code, opens a database or touches a socket.

A relative path is meant relative to where it was written: the current folder for flags and environment variables, the
folder of the file otherwise, and the folder of the app for defaults.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import msgspec
from msgspec import Meta

from pellucid.dotenv import parse_dotenv
from pellucid.errors import near, shorten
from pellucid.settings_text import plain_value

__all__ = ["GROUPS", "IN_DEV", "PREFIX", "SETTINGS", "Loaded", "Setting", "Settings", "SettingsError", "Source", "Wrong",
           "load", "shown", "split_app"]  # fmt: skip

PREFIX = "PELLUCID_"

Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1)]
Whole = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(gt=0)]
Some = Annotated[float, Meta(ge=0)]
AtLeast64 = Annotated[int, Meta(ge=64)]
Token = Annotated[str, Meta(min_length=16)] | None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of a backend, with the values of `pellucid run` as defaults (`IN_DEV` says what `pellucid dev`
    changes).
    """

    mode: Annotated[Literal["dev", "run"], "`dev` (reload, everything seen) or `run` (production); set by the command"] = "run"
    app: Annotated[str | None, "the app's file `shop.py`, perhaps with its variable: `shop.py:app`"] = None

    host: Annotated[str, "the address to listen on; `0.0.0.0` or `::` for every interface"] = "127.0.0.1"
    port: Annotated[Port, "the TCP port; 0 picks a free one"] = 8000
    unix_socket: Annotated[str | None, "a Unix socket to listen on instead of host and port"] = None
    workers: Annotated[Whole, "processes that serve requests under `pellucid run`; 0 for one per core"] = 1
    public_url: Annotated[str | None, "the URL that users see, where a proxy stands in front; used in absolute links"] = None
    tls_certificate: Annotated[str | None, "a PEM file with the certificate chain; turns HTTPS on, together with tls_key"] = None
    tls_key: Annotated[str | None, "a PEM file with the certificate's private key"] = None
    cors_origins: Annotated[tuple[str, ...], "origins whose pages may call the API, separated by commas; `*` for all"] = ()

    database: Annotated[str, "a SQLite file or a database URL; by default `data.db` beside the app"] = "data.db"
    readers: Annotated[Count, "threads per worker for reads that exceed the inline budget"] = 4
    write_queue: Annotated[Count, "writes that may wait per worker; more are answered with 503 and Retry-After"] = 1024
    busy_timeout: Annotated[Seconds, "seconds to wait for another process that holds the database"] = 5.0
    statement_timeout: Annotated[Seconds, "seconds after which a statement is stopped"] = 10.0
    inline_read_budget_ms: Annotated[Some, "milliseconds a read may take on the loop before it moves to a thread"] = 5.0

    max_rows: Annotated[Count, "rows in an answer where no limit is asked for, and the most that may be"] = 1000
    idempotency_hours: Annotated[Seconds, "hours for which an Idempotency-Key replays its stored answer"] = 24.0
    compress_min_bytes: Annotated[Whole, "smaller bodies are not compressed: they fit the first flight of packets"] = 14_000
    threads: Annotated[Count, "threads per worker for endpoints that are plain functions"] = 16

    connections: Annotated[Count, "open connections per worker; more are answered with 503"] = 10_000
    request_line_bytes: Annotated[AtLeast64, "the longest request line (414 beyond)"] = 8_192
    header_count: Annotated[Count, "the most header fields in a request (431 beyond)"] = 100
    header_bytes: Annotated[AtLeast64, "the largest header section (431 beyond)"] = 32_768
    max_body_bytes: Annotated[Whole, "the largest request body (413 beyond)"] = 10_485_760
    header_timeout: Annotated[Seconds, "seconds for a request's header section to arrive (408 beyond)"] = 10.0
    body_timeout: Annotated[Seconds, "seconds a body may pause between two pieces (408 beyond)"] = 30.0
    keepalive_timeout: Annotated[Seconds, "seconds an idle connection stays open"] = 75.0
    grace: Annotated[Some, "seconds that running requests have to end when the server stops"] = 10.0

    anatomy: Annotated[Literal["off", "on"], "`on` records requests, span by span: in `dev` all of them"] = "off"
    anatomy_rate: Annotated[Whole, "requests a second that `run` records whole; of the rest the slow and the failed"] = 100
    anatomy_keep: Annotated[Count, "requests kept in memory per worker, besides the slowest and the failed"] = 200
    anatomy_token: Annotated[Token, "who sends it as `Pellucid-Token` sees what `run` records; 16 characters or more"] = None
    access_log: Annotated[bool, "log every request; otherwise only slow and failed ones"] = False
    log_format: Annotated[Literal["pretty", "json"], "`pretty` for people, `json` for machines (one object a line)"] = "json"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], "the least severe message that is logged"] = "info"
    slow_request_ms: Annotated[Some, "requests at least this slow are always logged"] = 500.0


IN_DEV: Mapping[str, object] = {"anatomy": "on", "access_log": True, "log_format": "pretty", "grace": 2.0}
"""What `pellucid dev` starts from instead."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Start": ("mode", "app"),
    "Listening": ("host", "port", "unix_socket", "workers", "public_url", "tls_certificate", "tls_key", "cors_origins"),
    "Database": ("database", "readers", "write_queue", "busy_timeout", "statement_timeout", "inline_read_budget_ms"),
    "API": ("max_rows", "idempotency_hours", "compress_min_bytes", "threads"),
    "Limits": ("connections", "request_line_bytes", "header_count", "header_bytes", "max_body_bytes",
               "header_timeout", "body_timeout", "keepalive_timeout", "grace"),
    "Seeing": ("anatomy", "anatomy_rate", "anatomy_keep", "anatomy_token", "access_log", "log_format", "log_level",
               "slow_request_ms"),
}  # fmt: skip
"""The order of the documentation."""

_PASSED_ON = frozenset({"PELLUCID_FDS", "PELLUCID_SUPERVISOR_FD"})  # from the supervisor to its workers, see server/
_PATHS = frozenset({"app", "unix_socket", "tls_certificate", "tls_key", "database"})
_SECRETS = frozenset({"database", "anatomy_token"})  # PELLUCID_DATABASE_FILE names a file to read it from
_URLS = frozenset({"database"})  # of a URL the password is secret, and all else may be seen


class Setting(msgspec.Struct, frozen=True):
    """One row of the table of settings: what `Settings` says about a field, and how it is written elsewhere."""

    name: str
    type: object
    default: object
    description: str
    choices: tuple[str, ...] = ()
    at_least: float | None = None
    more_than: float | None = None
    at_most: float | None = None
    shortest: int | None = None

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return f"{PREFIX}{self.name.upper()}"

    @property
    def flag(self) -> str:
        """Its command line flag."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def secret(self) -> bool:
        """Whether its value may hold a password."""
        return self.name in _SECRETS


def _table() -> dict[str, Setting]:
    """Read the class above, so that each setting is written down once."""
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    table: dict[str, Setting] = {}
    for name in (name for names in GROUPS.values() for name in names):
        field = fields[name]
        kind, *notes = get_args(field.type)
        inner = (note for part in get_args(kind) if get_origin(part) is Annotated for note in get_args(part))
        bounds = next((note for note in (*notes, *inner) if isinstance(note, Meta)), Meta())
        description = next(note for note in notes if isinstance(note, str))
        choices = tuple(map(str, get_args(kind))) if get_origin(kind) is Literal else ()
        least = (bounds.ge, bounds.gt, bounds.le, bounds.min_length)
        table[name] = Setting(name, field.type, field.default, description, choices, *least)
    return table


SETTINGS: Mapping[str, Setting] = _table()
"""Every setting by name, in the order of the documentation."""


class Source(msgspec.Struct, frozen=True):
    """Where a value came from: `kind` is `flag environment .env pyproject.toml default`, `where` the exact place."""

    kind: str
    where: str


class Loaded(msgspec.Struct, frozen=True):
    """The settings, the source of each by name, and what looked wrong without being fatal."""

    settings: Settings
    sources: Mapping[str, Source]
    warnings: tuple[str, ...] = ()


class Wrong(msgspec.Struct, frozen=True):
    """One value that cannot be used: which setting, where it stands, what would be right."""

    name: str
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class SettingsError(Exception):
    """One or more settings are wrong; `wrong` lists them all."""

    def __init__(self, wrong: list[Wrong]) -> None:
        super().__init__("\n".join(map(str, wrong)))
        self.wrong = tuple(wrong)


class _Found(msgspec.Struct, frozen=True):
    """A raw value, its source, and the folder that its relative paths start from."""

    value: object
    source: Source
    folder: Path


_Layer = dict[str, _Found]


def load(
    flags: Mapping[str, object] | None = None,
    *,
    app_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Loaded:
    """Collect the settings from every source.

    `flags` holds what was given on the command line, by setting name; None means not given. `app_file` overrides the
    setting `app` where the caller knows it. Raises `SettingsError` with everything that is wrong.
    """
    cwd = cwd or Path.cwd()
    wrong: list[Wrong] = []
    warnings: list[str] = []
    variables = ((key, value, key) for key, value in (environ or {}).items() if key.startswith(PREFIX))
    layers = [_from_flags(flags or {}, cwd, warnings), _from_variables(variables, "environment", cwd, wrong, warnings)]
    here = _from_folder(cwd, wrong, warnings)

    if app_file is None and (found := _first("app", [*layers, *here])) is not None and isinstance(found.value, str):
        app_file = (found.folder / split_app(found.value)[0]).resolve()
    app_folder = app_file.parent.resolve() if app_file is not None else cwd.resolve()
    # A file beside the app says more about it than one where the command happens to be typed.
    beside = here if app_folder == cwd.resolve() else _from_folder(app_folder, wrong, warnings)
    files = [*beside, *here] if beside is not here else list(here)
    layers += sorted(files, key=lambda layer: any(found.source.kind == "pyproject.toml" for found in layer.values()))

    mode = _first("mode", layers)
    defaults = {
        **{name: setting.default for name, setting in SETTINGS.items()},
        **(IN_DEV if mode and mode.value == "dev" else {}),
    }
    values: dict[str, object] = {}
    sources: dict[str, Source] = {}
    for name, setting in SETTINGS.items():
        found = _first(name, layers) or _Found(defaults[name], Source("default", "default"), app_folder)
        sources[name] = found.source
        try:
            values[name] = _convert(setting, found)
        except ValueError as error:
            wrong.append(Wrong(name, found.source.where, f"{name} {error}"))
    _check_together(values, sources, wrong)
    if wrong:
        raise SettingsError(wrong)
    return Loaded(msgspec.convert(values, Settings), sources, tuple(dict.fromkeys(warnings)))


def split_app(app: str) -> tuple[str, str]:
    """`shop.py:app` as file and variable; the variable is `app` where none is given."""
    file, colon, variable = app.rpartition(":")
    return (file, variable) if colon and variable.isidentifier() and file else (app, "app")


def shown(setting: Setting, value: object) -> str:
    """A value as text for people, with passwords hidden."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or value == ():
        return "-"
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value)
    text = str(value)
    if setting.secret and setting.name not in _URLS:
        return "***"
    return re.sub(r"(?<=://)([^/@:]*):[^/@]*@", r"\1:***@", text) if setting.secret else text


# -- where values come from --------------------------------------------------------------------------------------------


def _first(name: str, layers: list[_Layer]) -> _Found | None:
    return next((layer[name] for layer in layers if name in layer), None)


def _from_flags(flags: Mapping[str, object], cwd: Path, warnings: list[str]) -> _Layer:
    layer: _Layer = {}
    for name, value in flags.items():
        if name not in SETTINGS:
            warnings.append(_unknown(name, name, SETTINGS))
        elif value is not None:
            where = "argument APP" if name == "app" else "the command" if name == "mode" else SETTINGS[name].flag
            layer[name] = _Found(value, Source("flag", where), cwd)
    return layer


def _from_folder(folder: Path, wrong: list[Wrong], warnings: list[str]) -> tuple[_Layer, _Layer]:
    """What `.env` and `pyproject.toml` of one folder say."""
    return _from_dotenv(folder / ".env", wrong, warnings), _from_pyproject(folder / "pyproject.toml", wrong, warnings)


def _from_dotenv(file: Path, wrong: list[Wrong], warnings: list[str]) -> _Layer:
    text = _read(file, wrong)
    if text is None:
        return {}
    try:
        # Other names belong to other programs.
        pairs = [(key, value, f"{file}:{line}") for key, value, line in parse_dotenv(text) if key.startswith(PREFIX)]
    except ValueError as error:
        wrong.append(Wrong(".env", f"{file}:{error.args[1]}", str(error.args[0])))
        return {}
    return _from_variables(iter(pairs), ".env", file.parent, wrong, warnings)


def _from_variables(
    pairs: Iterator[tuple[str, str, str]], kind: str, folder: Path, wrong: list[Wrong], warnings: list[str]
) -> _Layer:
    """`PELLUCID_X=value`, and for secrets `PELLUCID_X_FILE=path`, which a container's secrets are mounted as."""
    layer: _Layer = {}
    for key, value, where in pairs:
        name = key[len(PREFIX) :].lower()
        if name in SETTINGS:
            layer[name] = _Found(value, Source(kind, where), folder)
            continue
        secret = name.removesuffix("_file")
        if key in _PASSED_ON:
            continue
        if secret == name or secret not in _SECRETS:
            warnings.append(_unknown(key, where, (setting.variable for setting in SETTINGS.values())))
            continue
        try:
            text = (folder / value).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            wrong.append(Wrong(secret, where, f"{secret} cannot be read from {value}: {getattr(error, 'strerror', 'not UTF-8')}"))
        else:
            layer[secret] = _Found(text, Source(kind, f"{where} ({value})"), folder)
    return layer


def _from_pyproject(file: Path, wrong: list[Wrong], warnings: list[str]) -> _Layer:
    text = _read(file, wrong)
    if text is None or "pellucid" not in text:
        return {}
    import tomllib  # 10 ms that most starts do not need

    try:
        tool = tomllib.loads(text).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        wrong.append(Wrong("pyproject.toml", str(file), f"not valid TOML: {error}"))
        return {}
    table = tool.get("pellucid", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        wrong.append(Wrong("pyproject.toml", str(file), "[tool.pellucid] must be a table"))
        return {}
    layer: _Layer = {}
    for key, value in table.items():
        name, where = key.replace("-", "_"), f"{file}:{_line_of(text, key)}"
        if name in SETTINGS:
            layer[name] = _Found(value, Source("pyproject.toml", where), file.parent)
        else:
            warnings.append(_unknown(key, where, SETTINGS))
    return layer


def _read(file: Path, wrong: list[Wrong]) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        wrong.append(Wrong(file.name, str(file), f"cannot be read: {getattr(error, 'strerror', 'it is not UTF-8')}"))
        return None


def _line_of(text: str, key: str) -> int:
    """The line of a key in [tool.pellucid]; tomllib does not say."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            inside = stripped.split("#")[0].strip() == "[tool.pellucid]"
        elif inside and re.match(rf"[\"']?{re.escape(key)}[\"']?\s*=", stripped):
            return number
    return 1


def _unknown(name: str, where: str, known: Mapping[str, Setting] | Iterator[str]) -> str:
    hint = near(name, known)
    place = "" if where == name else f"{where}: "
    return f"{place}{name} is not a setting{f' ({hint})' if hint else ''}"


# -- what values mean --------------------------------------------------------------------------------------------------

def _convert(setting: Setting, found: _Found) -> object:
    """The raw value as the setting's type. Raises ValueError with what would be right."""
    value = found.value
    if isinstance(value, str):
        value = plain_value(setting.name, setting.default, value.strip())
    elif isinstance(value, list):
        value = tuple(value)
    try:
        value = msgspec.convert(value, setting.type, strict=True)
    except msgspec.ValidationError:
        raise ValueError(f"must be {_wanted(setting)}, not {'***' if setting.secret else shorten(found.value)}") from None
    if setting.name in _PATHS and isinstance(value, str) and "://" not in value and value != ":memory:":
        return _absolute(setting, value, found.folder)
    return value


def _absolute(setting: Setting, value: str, folder: Path) -> str:
    file, variable = split_app(value) if setting.name == "app" else (value, "")
    path = str((folder / Path(file).expanduser()).resolve())
    return f"{path}:{variable}" if variable else path


def _wanted(setting: Setting) -> str:
    """What a setting takes, in words: "a whole number from 0 to 65535"."""
    default = setting.default
    if setting.choices:
        return " or ".join(setting.choices)
    if not isinstance(default, (int, float)) or isinstance(default, bool):
        text = "a text" if setting.shortest is None else f"a text of at least {setting.shortest} characters"
        return "on or off" if isinstance(default, bool) else "a list of texts" if isinstance(default, tuple) else text
    whole = "a whole number" if isinstance(default, int) else "a number"
    kind = "a size in bytes such as 8192 or 10M" if setting.name.endswith("_bytes") else whole
    if setting.at_most is not None:
        return f"{kind} from {setting.at_least:g} to {setting.at_most:g}"
    return (
        f"{kind}, at least {setting.at_least:g}" if setting.at_least is not None else f"{kind}, more than {setting.more_than:g}"
    )


def _check_together(values: Mapping[str, object], sources: Mapping[str, Source], wrong: list[Wrong]) -> None:
    """What no single value can tell."""
    for given, needed in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
        if values.get(given) and needed in values and not values[needed]:
            wrong.append(Wrong(needed, sources[given].where, f"{given} needs {needed} as well"))
    url = values.get("public_url")
    if isinstance(url, str) and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", url):
        message = f"public_url must be like https://example.org, not {shorten(url)}"
        wrong.append(Wrong("public_url", sources["public_url"].where, message))
    origins = values.get("cors_origins")
    wrong.extend(
        Wrong("cors_origins", sources["cors_origins"].where, f"an origin is like https://example.org, not {shorten(origin)}")
        for origin in (origins if isinstance(origins, tuple) else ())
        if origin != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^\s/?#]+", origin)
    )
