"""Files, locks, signals, clocks, logs and progress bars: the operating system, without a single setting."""
