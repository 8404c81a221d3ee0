"""The protocol: reading requests, writing answers, keys, metadata. Knows no Flask and no SQL; pysaml2 stays inside."""
