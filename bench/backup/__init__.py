"""Compares `backup` and `restore` with `pg_dump` and `rclone copy`: `make bench-backup`.

`rounds.py` says what is measured and in which order, `figures.py` how it is named; `results.py` and
`page.py` turn values into JSON and tables.
"""
