"""Mathematical functions of CSS (CSS Values 4, section 10) with constant numbers: `calc()`, `min()`, `max()`, `clamp()`.

In: a function token of tinycss2 and a way to read a leaf as (number, unit). Out: (number, unit), or None where it is not one of
these, units do not fit, or something is divided by zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pellucid.client.page.tokens import CssToken, significant

__all__ = ["calculate"]

Value = tuple[float, str]
Leaf = Callable[[CssToken], Value]


class _Misfit(Exception):
    """Units that cannot be added, or something that is no sum."""


def calculate(node: CssToken, leaf: Leaf) -> Value | None:
    """The value of a mathematical function; whatever `leaf` raises goes through."""
    try:
        return _term(node, leaf)
    except _Misfit:
        return None


def _term(node: CssToken, leaf: Leaf) -> Value:
    if node.type == "() block":
        return _sum(node.content, leaf)
    if node.type != "function":
        return leaf(node)
    name = node.lower_name
    values = [_sum(part, leaf) for part in _split(node.arguments)]
    if name in ("calc", "-webkit-calc") and len(values) == 1:
        return values[0]
    if len({unit for _, unit in values}) != 1:
        raise _Misfit
    numbers, unit = [number for number, _ in values], values[0][1]
    if name == "min":
        return min(numbers), unit
    if name == "max":
        return max(numbers), unit
    if name == "clamp" and len(numbers) == 3:
        return max(numbers[0], min(numbers[1], numbers[2])), unit
    raise _Misfit


def _split(nodes: Sequence[CssToken]) -> list[list[CssToken]]:
    parts: list[list[CssToken]] = [[]]
    for node in nodes:
        if node.type == "literal" and node.value == ",":
            parts.append([])
        else:
            parts[-1].append(node)
    return parts


def _sum(nodes: Sequence[CssToken], leaf: Leaf) -> Value:
    tokens = significant(nodes)
    if not tokens:
        raise _Misfit
    total, unit = 0.0, None
    sign, start = 1.0, 0
    for index in range(len(tokens) + 1):
        mark = tokens[index].value if index < len(tokens) and tokens[index].type == "literal" else ""
        if index < len(tokens) and mark not in ("+", "-"):
            continue
        number, its = _product(tokens[start:index], leaf)
        if unit is not None and its != unit:
            raise _Misfit
        total, unit = total + sign * number, its
        sign, start = -1.0 if mark == "-" else 1.0, index + 1
    return total, unit or ""


def _product(tokens: list[CssToken], leaf: Leaf) -> Value:
    if len(tokens) % 2 == 0:
        raise _Misfit
    number, unit = _term(tokens[0], leaf)
    for mark, node in zip(tokens[1::2], tokens[2::2], strict=True):
        other, its = _term(node, leaf)
        if mark.type != "literal" or mark.value not in ("*", "/"):
            raise _Misfit
        if mark.value == "/":
            if its or other == 0:
                raise _Misfit
            number /= other
        else:
            if its and unit:
                raise _Misfit
            number, unit = number * other, unit or its
    return number, unit
