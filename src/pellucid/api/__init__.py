"""Styles of asking."""
