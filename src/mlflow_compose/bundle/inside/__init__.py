"""Runs on a machine that has Python and the bundle, and nothing else."""
