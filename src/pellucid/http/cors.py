"""Whether a page may read what came from another origin (Fetch, "CORS check").

In: a request as asked and the head of its answer. Out: `Cors`: passed or not, with what was missing. Pure.
"""

from __future__ import annotations

import msgspec

from pellucid.http.fetching import Asking, origin_of
from pellucid.http.fields import Pairs, field
from pellucid.http.remark import Remark
from pellucid.http.sites import same_origin

__all__ = ["Cors", "check"]

_SOURCE = "Fetch, CORS check"


class Cors(msgspec.Struct, frozen=True):
    """The verdict. `remark` is None where nobody had to be asked."""

    passed: bool
    remark: Remark | None = None


def check(asking: Asking, headers: Pairs) -> Cors:
    """Whether a browser hands the answer to the page, for a request with mode `cors` (fonts, modules, crossorigin)."""
    if asking.mode != "cors" or asking.client is None:
        return Cors(True)
    if all(same_origin(asking.client, url) for url in (*asking.passed, asking.url)):
        return Cors(True)
    origin = origin_of(asking) or "null"
    allowed = field(headers, "access-control-allow-origin")
    include = asking.credentials == "include"
    if allowed is None:
        return _failed(f"Access-Control-Allow-Origin was not sent; {origin}{' or *' if not include else ''} is needed")
    if allowed == "*" and not include:
        return Cors(True, Remark("cors", "info", "Access-Control-Allow-Origin: * lets every page read it", _SOURCE))
    if allowed == "*":
        return _failed(f"Access-Control-Allow-Origin: * does not do for a request with cookies; {origin} is needed")
    if allowed != origin:
        several = " (only one origin may stand there)" if "," in allowed else ""
        return _failed(f"Access-Control-Allow-Origin said {allowed[:100]}{several}; {origin} is needed")
    if include and field(headers, "access-control-allow-credentials") != "true":
        return _failed("Access-Control-Allow-Credentials: true was not sent, and the request went with cookies")
    vary = (field(headers, "vary") or "").lower()
    if "origin" not in vary and vary.strip() != "*":
        message = f"{origin} may read it, but Vary does not name Origin: a cache may give this permission to another page"
        return Cors(True, Remark("cors", "warning", message, "Fetch, CORS protocol and HTTP caches"))
    return Cors(True, Remark("cors", "good", f"{origin} may read it", _SOURCE))


def _failed(why: str) -> Cors:
    return Cors(False, Remark("cors", "error", f"A browser does not use the answer: {why}", _SOURCE))
