"""The sign-on flow, identity-provider side."""
