"""Run the command line as `python -m mlflow_compose`."""

from mlflow_compose.cli import main

if __name__ == "__main__":
    main()
