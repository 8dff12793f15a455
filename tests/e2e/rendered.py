"""Renders both targets when it is imported, so that forked processes find compiled templates."""

from mlflow_compose.render import render
from tests.unit.samples import local_stack, stack

for each in (stack(), local_stack()):
    render(each)
