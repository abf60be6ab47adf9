"""The atlas as its user has it: a copy of the example with the world loaded, and `pellucid dev` on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from shell import Served, Shell

ATLAS = Path(__file__).parents[2] / "examples" / "atlas"
TABLES = ("data/continents.csv", "data/countries.csv", "data/cities.csv")


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder with the example and its database; treat it as read-only."""
    folder = tmp_path_factory.mktemp("atlas") / "atlas"
    shutil.copytree(ATLAS, folder, ignore=shutil.ignore_patterns("*.db*", ".*", "__pycache__"))
    shell = Shell(folder)
    said = shell("load", "app.py", *TABLES).stdout
    assert "7 from continents.csv, 250 from countries.csv, 34,006 from cities.csv" in said
    return shell


@pytest.fixture
def atlas(loaded: Shell, tmp_path: Path) -> Shell:
    """A folder of one's own with the example and its database."""
    folder = tmp_path / "atlas"
    shutil.copytree(loaded.folder, folder)
    return Shell(folder)


@pytest.fixture(scope="module")
def served(loaded: Shell, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`pellucid dev` on a database that the tests of one file share."""
    folder = tmp_path_factory.mktemp("served") / "atlas"
    shutil.copytree(loaded.folder, folder)
    with Shell(folder).serving("dev", "app.py") as served:
        served.wait_for("ready after")
        yield served
