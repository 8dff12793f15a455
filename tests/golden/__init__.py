"""Rendered trees, compared byte by byte: one folder per case with its `.env` and result."""
