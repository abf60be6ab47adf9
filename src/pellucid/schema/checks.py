"""Constraints on values: read from an annotation's metadata, and asked of a Python value.

In: annotated-types constraints and `msgspec.Meta`. Out: `Check`s whose bounds have the field's own type, and a test
for each. What a constraint is in SQL or JSON Schema is said elsewhere; metadata of other libraries is left alone (PEP
593).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

import annotated_types as at
import msgspec

from pellucid.errors import shorten
from pellucid.schema.mistakes import Wrong
from pellucid.schema.spec import Check, FieldSpec, Kind

__all__ = ["broken", "holds", "read_checks"]

_ORDERED = {
    Kind.INT: int, Kind.FLOAT: float, Kind.DECIMAL: Decimal, Kind.DATETIME: datetime, Kind.DATE: date, Kind.TIME: time,
    Kind.DURATION: timedelta,
}  # fmt: skip
_NUMBERS = (Kind.INT, Kind.FLOAT, Kind.DECIMAL)
_SIZED = (Kind.STR, Kind.BYTES, Kind.JSON)
_COMPARE: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "ge": (operator.ge, "must be at least {}"),
    "gt": (operator.gt, "must be greater than {}"),
    "le": (operator.le, "must be at most {}"),
    "lt": (operator.lt, "must be less than {}"),
}
_UNITS = {Kind.STR: "character", Kind.BYTES: "byte", Kind.JSON: "item"}


def read_checks(spec: FieldSpec, metadata: tuple[object, ...]) -> tuple[Check, ...]:
    """The constraints among an annotation's metadata; raises `Wrong` for one that does not fit the field's type."""
    checks = tuple(_check(spec, name, bound) for item in metadata for name, bound in _parts(item))
    _satisfiable({check.name: check.bound for check in checks})
    return checks


def _parts(item: object) -> Iterator[tuple[str, object]]:
    """A piece of metadata as plain constraints: name and bound."""
    match item:
        case at.Ge(ge=bound):
            yield "ge", bound
        case at.Gt(gt=bound):
            yield "gt", bound
        case at.Le(le=bound):
            yield "le", bound
        case at.Lt(lt=bound):
            yield "lt", bound
        case at.MultipleOf(multiple_of=bound):
            yield "multiple_of", bound
        case at.MinLen(min_length=bound):
            yield "min_length", bound
        case at.MaxLen(max_length=bound):
            yield "max_length", bound
        case at.Predicate(func=bound):
            yield "predicate", bound
        case at.GroupedMetadata():
            for part in item:
                yield from _parts(part)
        case msgspec.Meta():
            for name in ("ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern"):
                if (bound := getattr(item, name)) is not None:
                    yield name, bound
        case _:
            return


def _check(spec: FieldSpec, name: str, bound: object) -> Check:
    if spec.ref is not None or spec.computed is not None:
        raise Wrong(f"{name} cannot be asked of this field", "state it where the value is stored")
    if name in _COMPARE:
        bound = _bound(spec, name, bound)
        return Check(name, bound, _COMPARE[name][1].format(_shown(bound)))
    if name == "multiple_of":
        bound = _bound(spec, name, bound)
        if spec.kind not in _NUMBERS or cast(float, bound) <= 0:
            raise Wrong(f"multiple_of={bound!r} does not fit {spec.kind.value}", "use a number above 0 on a number")
        return Check(name, bound, f"must be a multiple of {_shown(bound)}")
    if name in ("min_length", "max_length"):
        if spec.kind not in _SIZED or not isinstance(bound, int) or bound < 0:
            raise Wrong(
                f"a length of {bound!r} does not fit {spec.kind.value}", "lengths are for str, bytes and lists, from 0 on"
            )
        unit = f"{_UNITS[spec.kind]}{'' if bound == 1 else 's'}"
        return Check(name, bound, f"must have at {'least' if name == 'min_length' else 'most'} {bound} {unit}")
    if name == "pattern":
        return Check(name, _pattern(spec, bound), f"must match the pattern {bound}")
    described = getattr(bound, "__doc__", None) if getattr(bound, "__name__", "<lambda>") == "<lambda>" else None
    label = described or str(getattr(bound, "__name__", bound)).replace("_", " ")
    return Check(name, bound, "is not a valid value" if label == "<lambda>" else f"must satisfy: {label.strip()}")


def _bound(spec: FieldSpec, name: str, bound: object) -> object:
    """A bound in the field's own type, so that it can be compared and stored without another thought."""
    wanted = _ORDERED.get(spec.kind)
    if wanted is Decimal and isinstance(bound, int | float | str) and not isinstance(bound, bool):
        bound = Decimal(str(bound))
    elif wanted is float and isinstance(bound, int) and not isinstance(bound, bool):
        bound = float(bound)
    if wanted is None or not isinstance(bound, wanted) or isinstance(bound, bool):
        raise Wrong(
            f"{name}={shorten(bound)} does not fit {spec.kind.value}", "use a bound of the field's own type, or leave it out"
        )
    if isinstance(bound, datetime) and bound.tzinfo is None:
        raise Wrong(f"{name}={bound} has no offset from UTC", "add tzinfo=UTC")
    if isinstance(bound, Decimal) and bound != round(bound, spec.places):
        raise Wrong(f"{name}={bound} has more than {spec.places} digits after the point", "raise places= or round the bound")
    return bound


def _pattern(spec: FieldSpec, bound: object) -> str:
    if spec.kind is not Kind.STR or not isinstance(bound, str):
        raise Wrong(f"a pattern does not fit {spec.kind.value}", "patterns are for str")
    return bound


def _satisfiable(bounds: dict[str, Any]) -> None:
    """Find bounds that no value can meet."""
    for low in ("ge", "gt", "min_length"):
        for high in ("max_length",) if low == "min_length" else ("le", "lt"):
            if low in bounds and high in bounds:
                least, most = bounds[low], bounds[high]
                if least > most or (least == most and (low == "gt" or high == "lt")):
                    raise Wrong(f"no value is both {low} {least} and {high} {most}", "swap or widen the bounds")


def _shown(bound: object) -> str:
    return bound.isoformat() if isinstance(bound, date | time) else str(bound)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def holds(check: Check, value: Any) -> bool:
    """Whether a Python value of the field's type, not None, meets a constraint."""
    bound = cast(Any, check.bound)
    if check.name in _COMPARE:
        return _COMPARE[check.name][0](value, bound)
    match check.name:
        case "min_length":
            return bool(len(value) >= bound)
        case "max_length":
            return bool(len(value) <= bound)
        case "multiple_of":
            return not value % bound
        case "pattern":
            # As msgspec and JSON Schema do: found anywhere unless the pattern is anchored.
            return _compiled(bound).search(value) is not None
        case _:
            return bool(bound(value))


def broken(spec: FieldSpec) -> Callable[[object], tuple[Check, ...]]:
    """A function from a Python value of the field's type to the constraints that it breaks; none for None."""
    checks = spec.checks

    def find(value: object) -> tuple[Check, ...]:
        if value is None or not checks:
            return ()
        return tuple(check for check in checks if not holds(check, value))

    return find
