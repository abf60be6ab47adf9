"""What `<script>` asks for without being run (WHATWG HTML, section 4.12.1.1, prepare the script element).

In: the element's attributes and its text. Out: the files it names; static imports of inline modules; import maps; pages that
speculation rules fetch at once. What a script would ask for when run nobody knows here, and `Scanner.notes` says so.
"""

from __future__ import annotations

from pellucid.client.page.findings import Attributes, Findings
from pellucid.http.sniff import is_javascript

__all__ = ["ScriptKind", "script_kind", "scripted", "speculations"]

_WHITE = " \t\n\f\r"

ScriptKind = str
"""`classic`, `module`, `importmap`, `speculationrules`, or `data`."""


def script_kind(attributes: Attributes) -> ScriptKind:
    """What a script element holds, by its `type` and `language`."""
    if "type" in attributes:
        type = attributes["type"]
        if not type:
            return "classic"
    elif attributes.get("language"):
        type = f"text/{attributes['language']}"
    else:
        return "classic"
    type = type.strip(_WHITE).lower()
    if is_javascript(type):
        return "classic"
    return type if type in ("module", "importmap", "speculationrules") else "data"


def scripted(findings: Findings, attributes: Attributes, *, in_head: bool) -> None:
    """Take a script that is in a file."""
    src, kind = attributes.get("src"), script_kind(attributes)
    what = "<script type=module src>" if kind == "module" else "<script src>"
    if kind in ("importmap", "speculationrules"):
        findings.skip(src, "script", what, f"a script of type {kind} must be inline", "WHATWG HTML, section 4.12.1")
        return
    if kind == "data":
        findings.skip(src, "script", what, f"its type is {attributes.get('type')}: data, not a script")
        return
    if kind == "classic" and "nomodule" in attributes:
        findings.skip(src, "script", what, "nomodule: only browsers without modules ask for it", "WHATWG HTML, section 4.12.1")
        return
    module = kind == "module"
    deferred = "async" in attributes or ("defer" in attributes and not module)
    priority = findings.order.script(attributes.get("fetchpriority", "").lower(), deferred=deferred)
    cors = True if module else None
    blocking = in_head and not module and not deferred
    findings.add(src, "script", what, priority, attributes, cors=cors, module=module, blocking=blocking)


def speculations(findings: Findings, text: str) -> None:
    """Pages that `<script type=speculationrules>` fetches ahead: those of lists with eagerness immediate."""
    from msgspec import DecodeError, json

    try:
        rules = json.decode(text)
    except (DecodeError, RecursionError):
        return
    if not isinstance(rules, dict):
        return
    for action in ("prefetch", "prerender"):
        named = rules.get(action)
        for rule in named if isinstance(named, list) else ():
            if not isinstance(rule, dict):
                continue
            urls = rule.get("urls")
            if not isinstance(urls, list):
                continue
            for url in urls:
                if not isinstance(url, str):
                    continue
                if rule.get("eagerness", "immediate") == "immediate":
                    what = f"speculation rules: {action}"
                    findings.add(url, "document", what, "VeryLow", after_load=True, preload=True)
                else:
                    why = f"speculation rules: {action} only when somebody is about to follow the link"
                    findings.skip(url, "document", "<script type=speculationrules>", why)
