"""The vetted texts and the rules that every text must pass."""
