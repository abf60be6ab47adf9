"""The encoding that a page names for itself, read before it is decoded (HTML 13.2.3.2, "prescan a byte stream").

In: the first 1024 bytes. Out: the label and what said it. Pure. It is the standard's algorithm step by step, since pages depend
on its oddities: comments are skipped, but not scripts; attributes are read in every tag, so a quoted `>` ends none.
"""

from __future__ import annotations

import re

from pellucid.http.labels import codec_of, label_in_content

__all__ = ["meta_label"]

_SPACE = b"\t\n\x0c\r "
_TAG = re.compile(rb"</?[a-zA-Z]")
_META = re.compile(rb"<meta[\t\n\x0c\r /]", re.IGNORECASE)
_XML = re.compile(rb"""<\?xml[^>]*?encoding[\x00-\x20]*=[\x00-\x20]*(["'])([^"'>]*)\1""")


class _End(Exception):
    """The bytes ended in the middle of something: nothing is known."""


def meta_label(head: bytes) -> tuple[str, str] | None:
    """The label of the first `<meta>` that names an encoding, and a description of it; None where none does."""
    if head.startswith(b"<\x00?\x00x\x00"):
        return "utf-16le", "<?xml in UTF-16"
    if head.startswith(b"\x00<\x00?\x00x"):
        return "utf-16be", "<?xml in UTF-16"
    try:
        found = _prescan(head)
    except _End:
        found = None
    if found is None:
        match = _XML.match(head)
        if match is not None and codec_of(match.group(2).decode("latin-1")) is not None:
            return match.group(2).decode("latin-1").strip(), "<?xml encoding>"
    return found


def _prescan(head: bytes) -> tuple[str, str] | None:
    at = 0
    while at < len(head):
        at = head.find(b"<", at)
        if at < 0:
            return None
        if head.startswith(b"<!--", at):
            end = head.find(b"-->", at + 2)
            if end < 0:
                return None
            at = end + 3
        elif _META.match(head, at):
            at, found = _meta(head, at + 5)
            if found is not None:
                return found
        elif _TAG.match(head, at):
            while at < len(head) and head[at] not in _SPACE + b">":
                at += 1
            name: bytes | None = b""
            while name is not None:
                at, name, _ = _attribute(head, at)
        elif head[at + 1 : at + 2] in (b"!", b"/", b"?"):
            at = head.find(b">", at)
            if at < 0:
                return None
            at += 1
        else:
            at += 1
    return None


def _meta(head: bytes, at: int) -> tuple[int, tuple[str, str] | None]:
    """Read the attributes of a `<meta>`: where it ends, and what it says."""
    seen: set[bytes] = set()
    pragma, needs_pragma, label, what = False, None, None, ""
    while True:
        at, name, value = _attribute(head, at)
        if name is None:
            break
        if name in seen:
            continue
        seen.add(name)
        text = value.decode("latin-1")
        if name == b"http-equiv":
            pragma = pragma or value.lower() == b"content-type"
        elif name == b"content":
            found = label_in_content(text)
            if found is not None and label is None:
                label, needs_pragma, what = found, True, "<meta http-equiv=content-type>"
        elif name == b"charset":
            label, needs_pragma, what = text, False, "<meta charset>"
    if needs_pragma is None or (needs_pragma and not pragma) or label is None or codec_of(label) is None:
        return at, None
    return at, (label.strip(), what)


def _attribute(head: bytes, at: int) -> tuple[int, bytes | None, bytes]:
    """The next attribute of a tag: where it ends, its name in lower case (None: the tag is over), its value."""
    while at < len(head) and head[at] in _SPACE + b"/":
        at += 1
    if at >= len(head):
        raise _End
    if head[at] == 0x3E:
        return at, None, b""
    start = at
    while at < len(head) and not (head[at] == 0x3D and at > start) and head[at] not in _SPACE + b"/>":
        at += 1
    name = head[start:at].lower()
    while at < len(head) and head[at] in _SPACE:
        at += 1
    if at >= len(head):
        raise _End
    if head[at] != 0x3D:
        return at, name, b""
    at += 1
    while at < len(head) and head[at] in _SPACE:
        at += 1
    if at >= len(head):
        raise _End
    if head[at] in b"\"'":
        end = head.find(head[at : at + 1], at + 1)
        if end < 0:
            raise _End
        return end + 1, name, head[at + 1 : end].lower()
    start = at
    while at < len(head) and head[at] not in _SPACE + b">":
        at += 1
    if at >= len(head):
        raise _End
    return at, name, head[start:at].lower()
