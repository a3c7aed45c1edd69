"""twitter_manager: one verified tweet per slot, written by a local model, posted exactly once."""

__version__ = "0.2.0"
