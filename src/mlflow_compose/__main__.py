"""The command line, and `python -m mlflow_compose`."""

import signal


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # Nothing needs cleanup yet: Ctrl-C may end the process at once, without a traceback.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from mlflow_compose.cli import main as run

    run()


if __name__ == "__main__":
    main()
