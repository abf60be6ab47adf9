"""Python annotations as a class body holds them, taken apart: text evaluated, Optional, Annotated and aliases peeled off.

In: the annotations of a class namespace, on any Python from 3.11. Out: the bare type, whether None fits, and the
metadata beside it. It knows nothing of fields, kinds or models.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Peeled", "declared", "evaluate", "peel"]


@dataclass(frozen=True, slots=True)
class Peeled:
    """An annotation without its wrapping: `Annotated[str, Len(1, 9)] | None` is str, nullable, with one piece of metadata."""

    bare: object
    nullable: bool
    metadata: tuple[object, ...]


def declared(namespace: Mapping[str, object]) -> dict[str, object]:
    """The annotations of a class body in order, before the class exists: objects, or text where they cannot be evaluated yet."""
    if sys.version_info >= (3, 14):
        # PEP 749: from 3.14 on a namespace holds a function, and names that do not exist yet come out as ForwardRef objects.
        from annotationlib import Format, call_annotate_function, get_annotate_from_class_namespace

        annotate = get_annotate_from_class_namespace(namespace)
        if annotate is not None:
            return dict(call_annotate_function(annotate, format=Format.FORWARDREF))
    return dict(typing.cast("Mapping[str, object]", namespace.get("__annotations__", {})))


def evaluate(annotation: object, module: str, scope: Mapping[str, object]) -> object:
    """The object behind an annotation; text is evaluated in its module, then in `scope`. NameError where a name is unknown."""
    if isinstance(annotation, str):
        module_names = vars(sys.modules[module]) if module in sys.modules else {}
        # The annotation is source text of the user's own file, as typing.get_type_hints evaluates it.
        return eval(annotation, {**scope, **module_names})  # noqa: S307
    if isinstance(annotation, typing.ForwardRef) and sys.version_info >= (3, 14):
        return annotation.evaluate()
    return annotation


def peel(annotation: object) -> Peeled:
    """Take off Annotated, Optional, NewType and `type` aliases, however they are nested."""
    nullable = False
    metadata: tuple[object, ...] = ()
    while True:
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated:
            metadata += annotation.__metadata__  # type: ignore[attr-defined]
            annotation = annotation.__origin__  # type: ignore[attr-defined]
        elif origin is typing.Union or isinstance(annotation, types.UnionType):
            members = [part for part in typing.get_args(annotation) if part is not type(None)]
            if len(members) == len(typing.get_args(annotation)):
                return Peeled(annotation, nullable, metadata)
            nullable = True
            annotation = typing.Union[tuple(members)]  # noqa: UP007
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            # A `type X = ...` statement, from Python 3.12 on.
            annotation = getattr(annotation, "__value__")  # noqa: B009
        else:
            return Peeled(annotation, nullable, metadata)
