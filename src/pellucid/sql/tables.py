"""A Catalog as SQLAlchemy tables, the same for every dialect: what queries are built from and migrations compare
with.

In: the models. Out: one `MetaData`. A column holds the stored form of its field (`schema/types.py`), so no SQLAlchemy
type ever converts a value. It runs nothing.
"""

from __future__ import annotations

import sqlalchemy as sa

from pellucid.schema.spec import Catalog, ModelSpec
from pellucid.schema.types import alchemy_type

__all__ = ["tables"]


def _add(model: ModelSpec, metadata: sa.MetaData) -> None:
    columns = [
        sa.Column(field.name, getattr(sa, alchemy_type(field))(), primary_key=field.key, nullable=field.nullable)
        for field in model.fields
        if field.stored
    ]
    sa.Table(model.table, metadata, *columns)


_kept: dict[int, tuple[Catalog, sa.MetaData]] = {}


def tables(catalog: Catalog) -> sa.MetaData:
    """The tables of all models by table name. Made once per catalog."""
    kept = _kept.get(id(catalog))
    if kept is None or kept[0] is not catalog:
        metadata = sa.MetaData()
        for model in catalog.models.values():
            _add(model, metadata)
        _kept[id(catalog)] = kept = (catalog, metadata)
    return kept[1]
