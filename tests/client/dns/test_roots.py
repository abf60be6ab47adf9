"""The built-in root servers and trust anchors are the Internet's, as Debian publishes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pellucid.client.dns.dnssec import IANA_ANCHORS
from pellucid.client.dns.roots import ROOT_HINTS

PUBLISHED = Path("/usr/share/dns")
needs_root_data = pytest.mark.skipif(not PUBLISHED.is_dir(), reason="Debian's dns-root-data is not installed")


@needs_root_data
def test_every_root_server_is_where_it_says() -> None:
    lines = [line.partition(";")[0].split() for line in (PUBLISHED / "root.hints").read_text().splitlines()]
    published = {
        (words[0].lower().rstrip("."), words[-1].lower()) for words in lines if len(words) > 3 and words[-2] in ("A", "AAAA")
    }
    assert {(name.lower().rstrip("."), address.lower()) for name, address in ROOT_HINTS} == published


@needs_root_data
def test_the_trust_anchors_are_ianas() -> None:
    published = {" ".join(line.split()[3:]).upper() for line in (PUBLISHED / "root.ds").read_text().splitlines() if line.strip()}
    assert published <= {anchor.upper() for anchor in IANA_ANCHORS}
