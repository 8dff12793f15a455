"""Let MLflow log what scikit-learn does."""

# %%
import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

mlflow.set_experiment("example: autologging")

# Models in the format skops can be loaded without running code in them.
mlflow.sklearn.autolog(serialization_format="skops")

# %% [markdown]
# The iris data comes with scikit-learn: 150 flowers, four lengths each, three species.

# %%
flowers, species = load_iris(return_X_y=True, as_frame=True)
seen, unseen, seen_species, unseen_species = train_test_split(
    flowers, species, test_size=0.3, random_state=0
)

# %% [markdown]
# `fit` logs the params, the scores on the training data and the model. `score` on new data adds a
# metric.

# %%
for model in (SVC(C=0.5), LogisticRegression(max_iter=500)):
    with mlflow.start_run(run_name=type(model).__name__) as run:
        model.fit(seen, seen_species)
        model.score(unseen, unseen_species)
    logged = mlflow.get_run(run.info.run_id).data
    print(f"{run.info.run_name}: {len(logged.params)} params")
    for name, value in sorted(logged.metrics.items()):
        print(f"  {name} {value:.3f}")
