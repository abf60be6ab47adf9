"""Where a request goes: knows no models."""
