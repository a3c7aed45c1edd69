"""The parts of one run: what is due, sending, and settling what is open."""
