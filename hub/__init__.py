"""Préau, a SAML 2.0 federation hub for schools."""
