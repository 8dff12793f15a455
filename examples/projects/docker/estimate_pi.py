"""Estimate pi from random points: the share that is within a quarter of a circle."""

import random
import sys

import mlflow

points = int(sys.argv[1])
random.seed(0)
inside = sum(random.random() ** 2 + random.random() ** 2 <= 1 for _ in range(points))

# `mlflow run` started a run and passed its id, so this logs to that one.
with mlflow.start_run():
    mlflow.log_metric("pi", 4 * inside / points)
print(f"pi is about {4 * inside / points}")
