"""Which functions of the user's run around writes: declared on the App, found by model and action.

In: functions. Out: the same functions, in the order of declaration. Running them is `api/hooked.py`'s (for requests) and
`api/data.py`'s (for writes by user code).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from pellucid.schema.model import Model
from pellucid.schema.spec import Catalog

__all__ = ["Action", "Hook", "Hooks"]

Action = Literal["create", "update", "delete"]
Hook = Callable[..., Awaitable[None]]
"""`async def hook(row, call)`: `row` is an instance of the model, `call` the request with `call.data` inside the
transaction.
"""

_ACTIONS: tuple[Action, ...] = ("create", "update", "delete")


class Hooks:
    """The hooks of an App, by model, action and phase, in the order of declaration."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], list[Hook]] = {}

    def declare(
        self, phase: Literal["before", "after"], catalog: Catalog, model: type[Model], actions: Sequence[Action]
    ) -> Callable[[Hook], Hook]:
        """A decorator that adds a hook. Raises ValueError for a model or action that does not exist."""
        if not (isinstance(model, type) and model.__name__ in catalog.models):
            raise ValueError(f"@app.{phase}({model!r}): this is not a model of the App; there is {', '.join(catalog.models)}")
        unknown = [action for action in actions if action not in _ACTIONS]
        if unknown or not actions:
            named = ", ".join(map(repr, unknown)) or "none"
            raise ValueError(f"@app.{phase}({model.__name__}, …): say which of {', '.join(_ACTIONS)}, not {named}")

        def add(hook: Hook) -> Hook:
            for action in actions:
                self._known.setdefault((model.__name__, action, phase), []).append(hook)
            return hook

        return add

    def of(self, model: str, action: Action) -> tuple[tuple[Hook, ...], tuple[Hook, ...]] | None:
        """(before, after) of a model's action; None where there is neither."""
        before, after = self._known.get((model, action, "before"), ()), self._known.get((model, action, "after"), ())
        return (tuple(before), tuple(after)) if before or after else None
