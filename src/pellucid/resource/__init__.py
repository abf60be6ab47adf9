"""A model, compiled: the waist between HTTP and data."""
