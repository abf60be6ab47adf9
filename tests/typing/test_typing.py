"""Type checkers and editors know a model's constructor and its fields."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("models.py")


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("mypy", ["--strict", "--warn-unused-ignores", "--cache-dir", "{tmp}"]),
        ("basedpyright", ["--level", "error", "-p", "{tmp}"]),
    ],
)
def test_a_type_checker_knows_fields_and_constructor(module: str, arguments: list[str], tmp_path: Path) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    settings = {"extraPaths": [str(ROOT / "src")], "typeCheckingMode": "standard", "enableTypeIgnoreComments": False}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({**settings, "reportUnnecessaryTypeIgnoreComment": "error"}))
    command = [sys.executable, "-m", module, *(argument.format(tmp=tmp_path) for argument in arguments), str(FILE)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
