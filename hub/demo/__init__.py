"""The demo: a service provider on another SAML implementation, sample people, everything started at once."""
