"""Attribute dialects: names, formats and value grammars, one module per dialect, as data."""
