"""Whether all is well, and who is told: health, alerts, status, report."""
