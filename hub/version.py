"""The version of Préau, read by the packaging tools and shown on every page."""

VERSION = "0.1.0"
