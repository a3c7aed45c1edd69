"""Feeds as sources of tweets: fetched bounded, parsed, told apart, and made into texts."""
