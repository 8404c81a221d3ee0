"""Signing people in: sessions, what comes next, passwords at the door."""
