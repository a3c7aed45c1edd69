"""Models: their files, formats, downloads, and the process that writes with them."""
