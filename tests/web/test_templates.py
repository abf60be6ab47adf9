"""Pages: escaped, strict about names, reread in dev, and Jinja2 absent until the first one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from pellucid.web.folder import FolderError
from pellucid.web.templates import Page, Templates


def test_a_page_extends_another_and_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "base.html").write_text("<title>{% block title %}{% endblock %} - {{ site }}</title>")
    (tmp_path / "page.html").write_text('{% extends "base.html" %}{% block title %}{{ name }}{% endblock %}')
    response = Templates(tmp_path, names={"site": "shop"}).respond(Page("page.html", {"name": "<b>"}, 404))
    assert (response.status, response.body) == (404, b"<title>&lt;b&gt; - shop</title>")
    assert response.header("content-type") == "text/html; charset=utf-8"


def test_a_name_that_the_page_does_not_have_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{{ nmae }}")
    with pytest.raises(UndefinedError):
        Templates(tmp_path).render(Page("page.html", {"name": "x"}))


def test_a_folder_that_is_not_there_fails_at_start(tmp_path: Path) -> None:
    with pytest.raises(FolderError, match=r"the folder of templates= does not exist: .*nowhere; make it"):
        Templates(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["missing.html", "../secret.html", "/etc/passwd"])
def test_a_template_outside_of_the_folder_is_never_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.html").write_text("secret")
    (tmp_path / "pages").mkdir()
    with pytest.raises(TemplateNotFound):
        Templates(tmp_path / "pages").render(Page(name))


@pytest.mark.parametrize(("reload", "seen"), [(True, "new"), (False, "old")])
def test_a_changed_template_is_seen_in_dev(tmp_path: Path, reload: bool, seen: str) -> None:
    (tmp_path / "page.html").write_text("old")
    templates = Templates(tmp_path, reload=reload)
    assert templates.render(Page("page.html")) == "old"
    (tmp_path / "page.html").write_text("new")
    os.utime(tmp_path / "page.html", (1, 1))
    assert templates.render(Page("page.html")) == seen


def test_a_backend_without_pages_never_imports_jinja2() -> None:
    code = "import sys, pellucid.web.endpoint; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
