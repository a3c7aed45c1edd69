"""Health of the program: its judgement, alerts, status and report."""
