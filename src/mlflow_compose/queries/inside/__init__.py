"""Modules that run a query inside the mlflow service."""
