"""A model, compiled: its readings and writes, each made once per shape and kind of actor, then only looked up.

In: shapes, values and an actor. Out: readings (a statement with its codec) and scripts for the database. It knows no
HTTP: the styles of asking in `api/` all meet here.

The key of the cache holds everything that changes the SQL text: the shape, and whether the actor is signed in and with
which roles. Values, the actor's id among them, are always bound.
"""

from __future__ import annotations

from collections.abc import Iterator

from pellucid.db.database import Database
from pellucid.errors import ROW_NOT_FOUND, Problem, shorten
from pellucid.plan.query import Shape
from pellucid.resource.bounded import Bounded
from pellucid.resource.codec import Codec
from pellucid.resource.intake import Intake
from pellucid.schema.rules import Actor
from pellucid.schema.spec import Catalog, ModelSpec
from pellucid.sql.statement import Prepared, Template

__all__ = ["Reading", "Resource", "Resources", "Template"]


class Reading:
    """One shape of reading, ready to run: SQL text, binding, and how its rows become JSON."""

    __slots__ = ("codec", "counts", "prepared", "text")

    def __init__(self, prepared: Prepared) -> None:
        statement = prepared.statement
        self.prepared = prepared
        self.text = statement.text
        self.codec = Codec(statement.columns, statement.hidden)
        self.counts = statement.counts


class Resource:
    """One model with everything compiled for it."""

    def __init__(self, catalog: Catalog, model: ModelSpec, dialect: str, most_rows: int) -> None:
        self.catalog = catalog
        self.model = model
        self.dialect = dialect
        self.most_rows = most_rows
        self.intake = Intake(model)
        self._readings: Bounded[tuple[Shape, object], Reading] = Bounded(512)

    def missing(self, key: str) -> Problem:
        """There is no such row, or this actor may not know of it."""
        return Problem(ROW_NOT_FOUND, f"there is no {self.model.name} with {self.model.key.name} {shorten(key)}")

    def reading(self, shape: Shape, actor: Actor) -> Reading:
        """The reading of a shape for this kind of actor. Raises a Problem of the 3xx or 6xx range."""
        key = (shape, actor.kind)
        known = self._readings.get(key)
        if known is None:
            # SQLAlchemy costs a quarter of a second to import: not before the first shape asks for it.
            from pellucid.sql.read import compile_read

            prepared = compile_read(self.catalog, self.model.name, shape, actor, dialect=self.dialect, most=self.most_rows)
            known = self._readings[key] = Reading(prepared)
        return known


class Resources:
    """All resources of a catalog, by model name."""

    def __init__(self, catalog: Catalog, database: Database, most_rows: int) -> None:
        self.catalog = catalog
        self.database = database
        self._by_name = {name: Resource(catalog, model, database.dialect, most_rows) for name, model in catalog.models.items()}

    def __getitem__(self, name: str) -> Resource:
        return self._by_name[name]

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_name.values())
