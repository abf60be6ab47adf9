"""JSON Merge Patch (RFC 7396) on stored JSON: text in, text out."""

from __future__ import annotations

import msgspec

__all__ = ["merge_patch", "merged_json"]


def merge_patch(target: object, patch: object) -> object:
    """The algorithm of RFC 7396, section 2: null removes a member, objects merge, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def merged_json(stored: str | None, patch: str) -> str:
    """Stored JSON text with a patch applied, as JSON text."""
    target = None if stored is None else msgspec.json.decode(stored)
    return msgspec.json.encode(merge_patch(target, msgspec.json.decode(patch))).decode()
