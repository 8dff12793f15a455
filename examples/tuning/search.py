"""Search for the best hyper-parameters, one nested run for each trial."""

# %%
from itertools import product

import matplotlib as mpl
import mlflow
from sklearn.datasets import load_wine
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier

mpl.use("agg")
from matplotlib import pyplot as plt

mlflow.set_experiment("example: tuning")
wines, cultivars = load_wine(return_X_y=True)
SPACE = {
    "max_depth": (1, 2, 3, 5),
    "min_samples_leaf": (1, 5, 20),
    "criterion": ("gini", "entropy"),
}

# %% [markdown]
# Each trial is a run inside of the parent run, which gets the params and the score of the best.


# %%
def accuracy(params: dict) -> float:
    """Return the mean accuracy of five folds."""
    model = DecisionTreeClassifier(random_state=0, **params)
    return float(cross_val_score(model, wines, cultivars, cv=5).mean())


def draw(trials: list[tuple[dict, float]]) -> plt.Figure:
    """Draw a line per trial across the params to its accuracy; the best is dark."""
    best = max(score for _, score in trials)
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for params, score in trials:
        heights = [
            SPACE[name].index(value) / (len(SPACE[name]) - 1) for name, value in params.items()
        ]
        line = [*heights, score]
        colour = "tab:blue" if score == best else "lightgray"
        axes.plot(line, color=colour, zorder=2 if score == best else 1)
    for at, values in enumerate(SPACE.values()):
        for index, value in enumerate(values):
            axes.annotate(f" {value}", (at, index / (len(values) - 1)))
    axes.set_xticks(range(len(SPACE) + 1), [*SPACE, "accuracy"])
    axes.set_title(f"{len(trials)} trials, best accuracy {best:.3f}")
    return figure


# %%
with mlflow.start_run(run_name="search"):
    trials = []
    for values in product(*SPACE.values()):
        params = dict(zip(SPACE, values, strict=True))
        with mlflow.start_run(run_name=" ".join(map(str, values)), nested=True):
            score = accuracy(params)
            mlflow.log_params(params)
            mlflow.log_metric("accuracy", score)
        trials.append((params, score))
    best_params, best_score = max(trials, key=lambda trial: trial[1])
    mlflow.log_params(best_params)
    mlflow.log_metric("accuracy", best_score)
    mlflow.log_figure(draw(trials), "trials.png")

print(f"best of {len(trials)}: {best_params}, accuracy {best_score:.3f}")
