"""Accounts: credentials, notices, attachments and the one state machine of their life."""
