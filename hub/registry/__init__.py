"""Service providers: rows, metadata, approval."""
