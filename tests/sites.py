"""Real sites for tests: templates from the npm registry, in fixed versions, unpacked in the cache of whoever runs this.

In: a package with its version. Out: the folder with its files. `python tests/sites.py` brings all of them at once, which
`.ci/run` does before the tests; a test that finds one missing brings it itself where npm is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

__all__ = ["HAR_SCHEMA", "THEMES", "unpacked"]

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pellucid-tests" / "sites"
THEMES = {
    "reveal.js@6.0.2": ("index.html", "demo.html"),
    "html5-boilerplate@9.0.1": ("dist/index.html",),
    "startbootstrap-agency@7.0.12": ("dist/index.html",),
    "startbootstrap-clean-blog@6.0.9": ("dist/post.html",),
    "startbootstrap-creative@7.0.7": ("dist/index.html",),
    "startbootstrap-freelancer@7.0.7": ("dist/index.html",),
    "startbootstrap-grayscale@7.0.6": ("dist/index.html",),
    "startbootstrap-resume@7.0.6": ("dist/index.html",),
    "startbootstrap-sb-admin-2@4.1.4": ("index.html",),
    "startbootstrap-coming-soon@6.0.7": ("dist/index.html",),
}
"""Packages, and the pages of them that are visited."""
HAR_SCHEMA = "har-schema@2.0.0"
"""JSON Schemas of HTTP archives, in the package's folder `lib`."""


def unpacked(package: str) -> Path | None:
    """The folder of a package; None where it is not there and cannot be brought."""
    if not (CACHE / package).is_dir():
        bring([package])
    return CACHE / package if (CACHE / package).is_dir() else None


def bring(packages: Sequence[str]) -> None:
    """Fetch packages with npm, without what they depend on and without running anything of theirs."""
    npm = shutil.which("npm")
    if npm is None:
        return
    work = CACHE / f"coming-{os.getpid()}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        command = [npm, "pack", "--silent", "--pack-destination", str(work), *packages]
        subprocess.run(command, check=True, cwd=work, stdout=subprocess.DEVNULL, timeout=180)
        for package in packages:
            name, _, version = package.rpartition("@")
            folder = work / name
            with tarfile.open(work / f"{name}-{version}.tgz") as archive:
                if hasattr(tarfile, "data_filter"):
                    archive.extractall(folder, filter="data")
                else:
                    archive.extractall(folder)
            if not (CACHE / package).is_dir():
                (folder / "package").rename(CACHE / package)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    missing = [package for package in (*THEMES, HAR_SCHEMA) if not (CACHE / package).is_dir()]
    if missing:
        bring(missing)
