"""Feeding: an academy delivers its AAF export, the directory publishes it. The flow is in :mod:`hub.feeding.flow`."""
