"""What a page's own policies let through: mixed content, Content-Security-Policy of its head and of its `<meta>` elements.

In: the head of the page's answer, what its bytes name, scripts and styles that stand in it. Out: what may be asked for, with
notes, or the remark that says why not. It fetches nothing and knows no visits but the page's own, which gets the notes.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pellucid.client.judge import notes_of
from pellucid.client.page.found import Found
from pellucid.http.csp import policies
from pellucid.http.fields import Pairs
from pellucid.http.mixed import judge
from pellucid.http.remark import Remark
from pellucid.http.url import Url
from pellucid.journey import Kind, Note, Visit

__all__ = ["Gate"]

_MOST_NOTES = 50


class Gate:
    """The policies of one document. `secure` is the page that the user sees, by which mixed content is judged."""

    def __init__(self, visit: Visit, url: Url, secure: Url, headers: Pairs) -> None:
        self.visit = visit
        self.secure = secure
        self.csp = policies(headers, url)
        self._metas = 0
        self._doubted = 0
        self._doubt()

    def heed(self, found: Sequence[tuple[str, str]]) -> None:
        """Take the policies that `<meta>` elements have set so far: they hold for what the document names from then on."""
        for name, text in found[self._metas :]:
            if name == "content-security-policy":  # one that only reports has no effect in a document (CSP 3, 3.3)
                self.csp.add(text, meta=True)
        self._metas = len(found)
        self._doubt()

    def _doubt(self) -> None:
        """What is odd about the policies themselves is told with the answer, and is no warning: nothing went wrong."""
        for remark in self.csp.remarks[self._doubted :][:_MOST_NOTES]:
            self.visit.notes.append(Note(remark.topic, "info", remark.message, remark.source))
        self._doubted = len(self.csp.remarks)

    def inline(self, kind: Kind, text: str, nonce: str, line: int) -> bool:
        """Whether a `<script>` or `<style>` of the document counts; what is forbidden is noted."""
        what = f"the {'style' if kind == 'stylesheet' else 'script'} in line {line}"
        remarks = self.csp.inline(kind, text, nonce=nonce, what=what)
        if len(self.visit.notes) < _MOST_NOTES:
            self.visit.notes += notes_of(remarks)
        return not any(remark.level == "error" for remark in remarks)

    def style_attributes(self) -> bool:
        """Whether `style` attributes count. Where hashes of them are listed it is assumed that those are theirs."""
        remarks = self.csp.inline("style-attribute", "", what="what style attributes say")
        if len(self.visit.notes) < _MOST_NOTES:
            self.visit.notes += notes_of(remarks)
        return not any(remark.level == "error" for remark in remarks)

    def judge(self, found: Found) -> tuple[Found, list[Note]] | Remark:
        """What becomes of a resource: it goes through, perhaps upgraded, with notes; or the reason why a browser blocks it."""
        judged = judge(self.secure, found.url, found.kind, upgrade_insecure=self.csp.upgrades)
        if judged.action == "block":
            assert judged.remark is not None
            return judged.remark
        if judged.action == "upgrade":
            found = msgspec.structs.replace(found, url=judged.url)
        # What a module imports was not put there by the parser, also where the module stands in the document.
        by_script = found.initiator.by == "script" or found.initiator.what in ("import", "export from")
        remarks = self.csp.judge(
            found.url, found.kind, nonce=found.nonce, integrity=found.integrity or "", by_script=by_script
        )
        blocking = next((remark for remark in remarks if remark.level == "error"), None)
        if blocking is not None:
            return blocking
        return found, notes_of([*filter(None, [judged.remark]), *remarks])
