"""The laboratory's hierarchy and Unbound in front of it, started once for all tests of names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hierarchy import MISSING, Laboratory, laboratory


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    if MISSING:
        pytest.skip(f"not installed: {', '.join(MISSING)}")
    with laboratory(tmp_path_factory.mktemp("laboratory")) as running:
        yield running


@pytest.fixture(scope="session")
def unbound(lab: Laboratory) -> Iterator[tuple[str, int]]:
    """Its address and port."""
    with lab.resolver() as place:
        yield place
