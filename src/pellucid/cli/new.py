"""`pellucid new`: write a small project that runs at once.

In: a name. Out: a folder with an app, a page, a README and a .gitignore. It refuses to touch anything that exists.
"""

from __future__ import annotations

import keyword
import re
from importlib import resources
from pathlib import Path

import click

from pellucid.cli.project import Asked

__all__ = ["new"]

_FILES = {
    "app.py": "app.py.txt",
    "public/index.html": "index.html",
    "README.md": "README.md",
    "pyproject.toml": "pyproject.toml.txt",
    ".gitignore": "gitignore.txt",
}


@click.command(epilog="Example: `pellucid new shop`, `cd shop`, `pellucid dev`.")
@click.argument("name")
def new(name: str) -> None:
    """Write a small project into the new folder NAME: models, a page, a README.

    It runs at once with `pellucid dev`. Nothing that exists is overwritten.
    """
    folder = Path(name)
    word = folder.name
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", word) or keyword.iskeyword(word):
        raise Asked(f"{word!r} is no name for a project: use letters, digits, - and _, beginning with a letter")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Asked(f"{folder} exists already; choose another name or an empty folder")
    source = resources.files("pellucid.cli") / "template"
    for target, template in _FILES.items():
        file = folder / target
        file.parent.mkdir(parents=True, exist_ok=True)
        text = (source / template).read_text(encoding="utf-8").replace("{{name}}", word).replace("{{title}}", _title(word))
        file.write_text(text, encoding="utf-8")
    click.echo(f"Made {folder}/ with {', '.join(_FILES)}. Now:\n\n  cd {folder}\n  pellucid dev\n")


def _title(word: str) -> str:
    return re.sub(r"[-_]+", " ", word).strip().capitalize()
