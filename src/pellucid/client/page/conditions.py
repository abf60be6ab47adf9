"""The grammar that conditions of CSS have in common (Media Queries 4, section 3; CSS Conditional 3, section 3).

In: tokens and a way to test what stands in one pair of parentheses. Out: true, false, or unknown, which `not` leaves unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pellucid.client.page.tokens import CssToken, significant

__all__ = ["Malformed", "Truth", "condition", "grouped"]

Truth = bool | None
"""None: unknown."""


class Malformed(Exception):
    """A condition that is written wrongly."""


def condition(tokens: Sequence[CssToken], test: Callable[[CssToken], Truth], *, either: bool = True) -> Truth:
    """`not X`, `X and Y and ...`, `X or Y or ...`; without `either`, `or` is not allowed. Raises Malformed."""
    if not tokens:
        raise Malformed
    if tokens[0].type == "ident" and tokens[0].lower_value == "not":
        if len(tokens) != 2:
            raise Malformed
        truth = test(tokens[1])
        return None if truth is None else not truth
    joints = {token.lower_value if token.type == "ident" else "" for token in tokens[1::2]}
    if len(tokens) % 2 == 0 or len(joints) > 1 or not joints <= ({"and", "or"} if either else {"and"}):
        raise Malformed
    truths = [test(token) for token in tokens[::2]]
    if "or" in joints:
        return True if True in truths else None if None in truths else False
    return False if False in truths else None if None in truths else True


def grouped(token: CssToken) -> list[CssToken] | None:
    """What stands in parentheses, where that may be a condition again rather than a feature or a declaration."""
    if token.type != "() block":
        return None
    inside = significant(token.content)
    if not inside:
        return None
    first = inside[0]
    if first.type in ("() block", "function") or (first.type == "ident" and first.lower_value == "not" and len(inside) > 1):
        return inside
    return None
