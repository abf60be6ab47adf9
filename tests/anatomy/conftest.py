"""What the tests of the drawings share: texts that are held against files.

`PELLUCID_RENEW=1 pytest tests/anatomy` writes the files anew; look at the difference before you commit it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.fixture(scope="session")
def held() -> Callable[[str, str], None]:
    """Compare a text with its file."""

    def compared(name: str, text: str) -> None:
        file = SNAPSHOTS / f"{name}.txt"
        if os.environ.get("PELLUCID_RENEW"):
            file.write_text(text, encoding="utf-8")
        assert file.read_text(encoding="utf-8") == text

    return compared
