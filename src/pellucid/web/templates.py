"""HTML pages from Jinja2 templates.

In: a folder, and `Page`s that name a template in it. Out: HTML Responses. Values are escaped, and a name that the page does not
have is an error instead of an empty place. Jinja2 is imported when the first page is rendered, since most backends have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pellucid.http.messages import Response
from pellucid.web.folder import FolderError

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Page", "Templates"]

_HTML = b"content-type: text/html; charset=utf-8\r\nx-content-type-options: nosniff\r\n"


class Page(msgspec.Struct, frozen=True):
    """A template by its path in the folder, the values for its names, and the status of the answer."""

    name: str
    context: Mapping[str, object] = {}
    status: int = 200


class Templates:
    """A folder of templates. `reload` looks for changed files on every page (for `dev`); `names` are known to every template.

    Raises FolderError where there is no such folder.
    """

    def __init__(self, folder: Path, *, reload: bool = False, names: Mapping[str, object] | None = None) -> None:
        if not folder.is_dir():
            raise FolderError("templates", folder)
        self._folder = folder
        self._reload = reload
        self._names = dict(names or {})
        self._environment: Environment | None = None

    @property
    def environment(self) -> Environment:
        """The Jinja2 environment, made at its first use: add filters and tests here."""
        if self._environment is None:
            # Importing Jinja2 takes 40 ms, which a backend without pages should not pay.
            from jinja2 import Environment, FileSystemLoader, StrictUndefined

            self._environment = Environment(
                loader=FileSystemLoader(self._folder),
                autoescape=True,
                undefined=StrictUndefined,
                auto_reload=self._reload,
                trim_blocks=True,
                lstrip_blocks=True,
            )
            self._environment.globals.update(self._names)
        return self._environment

    def render(self, page: Page) -> str:
        """The page's HTML. Raises Jinja2's errors: a missing template or an unknown name is a bug of the page's author."""
        return self.environment.get_template(page.name).render(page.context)

    def respond(self, page: Page) -> Response:
        """The page as a Response."""
        return Response(page.status, self.render(page).encode(), fixed=_HTML)
