"""The report of the last days as text, page and numbers."""
