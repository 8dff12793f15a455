"""Rendered trees, byte by byte: one folder per case, an `.env` and what must come of it."""
