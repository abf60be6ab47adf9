"""The user's project: which file holds the app, which settings hold for it, and the app itself.

In: what was typed. Out: a `Project`, and from it the imported `App`. Every mistake of the user's ends as one `click` exception
with a message that says what to do; a failed import shows the user's traceback, not ours. Exit codes: 1 it failed, 2 it was
asked wrongly.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, TypeVar

import click

from pellucid.errors import near
from pellucid.settings import SETTINGS, Loaded, Settings, SettingsError, load, split_app

if TYPE_CHECKING:
    from importlib.abc import PathEntryFinder

    from pellucid.app import App

__all__ = [
    "Asked",
    "Failed",
    "Project",
    "app_argument",
    "database_option",
    "find_project",
    "import_app",
    "migrations_folder",
    "settings_options",
]

Command = TypeVar("Command", bound=Callable[..., object])

_COMMON = ("host", "port", "unix_socket", "workers", "database", "access_log", "log_format", "log_level", "anatomy")


class Failed(click.ClickException):
    """It was understood, and failed."""

    exit_code = 1

    def show(self, file: object = None) -> None:  # noqa: ARG002  # click's own signature
        """Print the message to stderr; it may have several lines."""
        click.echo(f"pellucid: {self.format_message()}", err=True)


class Asked(Failed):
    """It was asked wrongly: a missing file, a wrong setting."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Project:
    """An app's file, the variable in it, and the settings that hold for it."""

    file: Path
    variable: str
    loaded: Loaded

    @property
    def settings(self) -> Settings:
        """The settings that hold."""
        return self.loaded.settings


def find_project(app: str | None, flags: Mapping[str, object] | None = None) -> Project:
    """Find the app's file and collect the settings, without running any of the user's code.

    `app` is `shop.py` or `shop.py:app`; without it the setting `app` counts, else `app.py` in the current folder. Warnings go to
    stderr. Raises `Asked`.
    """
    flags = {**(flags or {})}
    if app is not None:
        flags["app"] = app
    try:
        loaded = load(flags, environ=os.environ)
        if loaded.settings.app is None and Path("app.py").is_file():
            loaded = load({**flags, "app": "app.py"}, environ=os.environ)
    except SettingsError as error:
        lines = "\n".join(f"  {wrong}" for wrong in error.wrong)
        raise Asked(f"{'a setting is' if len(error.wrong) == 1 else f'{len(error.wrong)} settings are'} wrong\n{lines}") from None
    for warning in loaded.warnings:
        click.echo(f"pellucid: warning: {warning}", err=True)
    if loaded.settings.app is None:
        raise Asked(
            'which app? Name its file, as in `pellucid dev shop.py`, or say app = "shop.py" below [tool.pellucid] in'
            " pyproject.toml; `pellucid new NAME` makes a new one"
        )
    name, variable = split_app(loaded.settings.app)
    file = Path(name)
    if not file.is_file():
        hint = near(file.name, [other.name for other in file.parent.glob("*.py")]) if file.parent.is_dir() else None
        raise Asked(f"there is no file {_short(file)}{f' ({hint})' if hint else ''}")
    return Project(file, variable, loaded)


def migrations_folder(project: Project) -> Path:
    """Where the migration files of a project are."""
    return project.file.parent / "migrations"


class _Source(SourceFileLoader):
    """Compiles the source each time: to Python's cache two versions of one length, written within a second, are the same."""

    def get_code(self, fullname: str) -> CodeType | None:
        """The code of the module as its file is now."""
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _read_anew(folder: Path) -> None:
    """Let modules in this folder and below be compiled from their source too, but those that were installed there."""
    source = (_Source, SOURCE_SUFFIXES)
    finder = FileFinder.path_hook((ExtensionFileLoader, EXTENSION_SUFFIXES), source, (SourcelessFileLoader, BYTECODE_SUFFIXES))

    def find_here(path: str) -> PathEntryFinder:
        place = Path(path)
        if not place.is_relative_to(folder) or "site-packages" in place.parts:
            raise ImportError(f"{path} is left to others")
        return finder(path)

    sys.path_hooks.insert(0, find_here)
    sys.path_importer_cache.pop(str(folder), None)


def import_app(project: Project) -> App:
    """Run the user's file and return its app. Raises `Failed` with the user's traceback where that does not work."""
    from pellucid.app import App  # late: `pellucid --help` and most mistakes are answered before it is needed

    file = project.file
    folder = str(file.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    if project.settings.mode == "dev":
        _read_anew(file.parent)
    spec = importlib.util.spec_from_file_location(file.stem, file, loader=_Source(file.stem, str(file)))
    if spec is None or spec.loader is None or file.suffix != ".py":
        raise Asked(f"{_short(file)} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module  # before it runs: its annotations are looked up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        from pellucid.cli.logs import readable_traceback, wants_colour

        raise Failed(f"{_short(file)} cannot be imported\n{readable_traceback(error, colour=wants_colour(sys.stderr))}") from None
    app = getattr(module, project.variable, None)
    if isinstance(app, App):
        return app
    others = [name for name, value in vars(module).items() if isinstance(value, App)]
    if others:
        raise Asked(f"{_short(file)} has no app named {project.variable}, but {others[0]}: say {_short(file)}:{others[0]}")
    raise Asked(f"{_short(file)} has no app: it needs a line such as {project.variable} = App(models=[...])")


def _short(file: Path) -> str:
    """A path as the user would type it."""
    try:
        return str(file.relative_to(Path.cwd()))
    except ValueError:
        return str(file)


def app_argument(command: Command) -> Command:
    """The argument APP of a command."""
    return click.argument("app", required=False, metavar="[APP]")(command)


def database_option(command: Command) -> Command:
    """The option --database of a command."""
    return click.option("--database", metavar="FILE|URL", help=SETTINGS["database"].description)(command)


def settings_options(command: Command) -> Command:
    """Every setting as an option; those that few need are left out of --help."""
    for setting in reversed([each for name, each in SETTINGS.items() if name not in ("mode", "app")]):
        hidden = setting.name not in _COMMON
        if isinstance(setting.default, bool):
            flag = f"{setting.flag}/--no-{setting.flag.removeprefix('--')}"
            option = click.option(flag, setting.name, default=None, help=setting.description, hidden=hidden)
        else:
            metavar = "|".join(setting.choices) or ("N" if isinstance(setting.default, (int, float)) else "TEXT")
            option = click.option(setting.flag, setting.name, metavar=metavar, help=setting.description, hidden=hidden)
        command = option(command)
    return command
