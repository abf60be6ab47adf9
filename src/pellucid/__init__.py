"""Pellucid, the see-through backend: a file of models becomes a running backend.

    from pellucid import App, Model, Ref, anyone, field

    class City(Model, read=anyone):
        name: str
        population: int = field(index=True)

    app = App(models=[City])

`pellucid dev` serves it. Everything a user's file needs is exported here.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.api.call import Call
    from pellucid.app import App
    from pellucid.errors import Problem
    from pellucid.http.forms import UploadFile
    from pellucid.http.messages import Request, Response
    from pellucid.schema.model import Many, Model, Ref, field, me, now, uuid7
    from pellucid.schema.rules import anyone, nobody, owner, role, signed_in
    from pellucid.web.templates import Page

__all__ = [
    "App",
    "Call",
    "Many",
    "Model",
    "Page",
    "Problem",
    "Ref",
    "Request",
    "Response",
    "UploadFile",
    "anyone",
    "field",
    "me",
    "nobody",
    "now",
    "owner",
    "role",
    "signed_in",
    "uuid7",
]

__version__ = "0.1.0"

_HOMES = {
    "App": "pellucid.app",
    "Call": "pellucid.api.call",
    "Many": "pellucid.schema.model",
    "Model": "pellucid.schema.model",
    "Page": "pellucid.web.templates",
    "Problem": "pellucid.errors",
    "Ref": "pellucid.schema.model",
    "Request": "pellucid.http.messages",
    "Response": "pellucid.http.messages",
    "UploadFile": "pellucid.http.forms",
    "anyone": "pellucid.schema.rules",
    "field": "pellucid.schema.model",
    "me": "pellucid.schema.model",
    "nobody": "pellucid.schema.rules",
    "now": "pellucid.schema.model",
    "owner": "pellucid.schema.rules",
    "role": "pellucid.schema.rules",
    "signed_in": "pellucid.schema.rules",
    "uuid7": "pellucid.schema.model",
}


def __getattr__(name: str) -> object:
    # Importing one module of ours must not import all of them: the command line starts in a tenth of the time that the
    # whole takes (PEP 562).
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
