"""Running the hub: logs, health, retention."""
