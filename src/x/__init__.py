"""HTTP with X below `twitter_handler`: its answers and its credentials."""
