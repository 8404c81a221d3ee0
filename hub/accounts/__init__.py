"""Accounts, credentials, notices, attachments and their state machine."""
