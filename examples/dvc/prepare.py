"""Split the measurements into data to train on and data to test with."""

from pathlib import Path

import pandas as pd
import yaml

SOURCE, TARGET = Path("data/measurements.csv"), Path("prepared")


def main() -> None:
    """Write both parts as CSV files."""
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["prepare"]
    measurements = pd.read_csv(SOURCE)
    test = measurements.sample(frac=params["test_share"], random_state=params["seed"])
    TARGET.mkdir(exist_ok=True)
    test.to_csv(TARGET / "test.csv", index=False)
    measurements.drop(test.index).to_csv(TARGET / "train.csv", index=False)


if __name__ == "__main__":
    main()
