"""Work outside the hourly run: maintenance, units, login, model updates, evaluation."""
