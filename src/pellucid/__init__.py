"""Pellucid, the see-through backend."""

__version__ = "0.1.0"
