"""Compares stacks of this project with a plain Compose stack: `make bench`.

`subjects.py` lists what is compared, `figures.py` what is measured. Docker and local stacks are
measured by the same code; everything below `report.py` turns values into JSON, a table and a plot.
"""
