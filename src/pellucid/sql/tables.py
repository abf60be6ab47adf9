"""A Catalog as SQLAlchemy tables, the same for every dialect: what queries are built from.

In: the models. Out: one `MetaData`. A column holds the stored form of its field (`schema/types.py`), so no SQLAlchemy type
ever converts a value. Constraints and indexes are not here but in `sql/ddl.py`, which needs no SQLAlchemy. It runs nothing.
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


_MOST_KEPT = 8
_kept: dict[int, tuple[Catalog, sa.MetaData]] = {}
"""By the identity of the catalog, which is held so that the identity stays its own."""


def tables(catalog: Catalog) -> sa.MetaData:
    """The tables of all models by table name. Made once per catalog."""
    kept = _kept.get(id(catalog))
    if kept is None or kept[0] is not catalog:
        metadata = sa.MetaData()
        for model in catalog.models.values():
            _add(model, metadata)
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[id(catalog)] = kept = (catalog, metadata)
    return kept[1]
