"""Attribute release: what a service may know of a person, computed once by one pure function."""
