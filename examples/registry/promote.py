"""Register two versions of a model, compare them and promote the better one."""

# %%
import mlflow
import pandas as pd
from mlflow.models import infer_signature
from sklearn.base import RegressorMixin
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

NAME, ALIAS = "example-diabetes", "champion"
mlflow.set_experiment("example: registry")
client = mlflow.MlflowClient()

patients, progress = load_diabetes(return_X_y=True, as_frame=True)
seen, unseen, known, wanted = train_test_split(patients, progress, random_state=0)


# %% [markdown]
# Logging a model with a name also registers it: each call makes the next version.


# %%
def register(model: RegressorMixin) -> str:
    """Fit a model, log it, and return its version in the registry."""
    with mlflow.start_run(run_name=type(model).__name__):
        model.fit(seen, known)
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=NAME,
            signature=infer_signature(seen, model.predict(seen)),
            pip_requirements=["scikit-learn", "skops"],
        )
    return str(logged.registered_model_version)


first = register(DummyRegressor())
client.set_registered_model_alias(NAME, ALIAS, first)
second = register(Ridge(alpha=0.1))


# %% [markdown]
# A version is compared as it will be used: loaded from the registry, on data that it has not seen.


# %%
def error_of(version: str) -> float:
    """Return the mean absolute error of a version on unseen data, and tag it with that."""
    model = mlflow.pyfunc.load_model(f"models:/{NAME}/{version}")
    error = float(mean_absolute_error(wanted, model.predict(unseen)))
    client.set_model_version_tag(NAME, version, "error", f"{error:.2f}")
    return error


champion = client.get_model_version_by_alias(NAME, ALIAS).version
errors = {version: error_of(version) for version in (champion, second)}
best = min(errors, key=errors.__getitem__)
print(f"errors by version: {errors}; promoting version {best}")
client.set_registered_model_alias(NAME, ALIAS, best)

# %% [markdown]
# Whoever uses the model only knows the alias.

# %%
model = mlflow.pyfunc.load_model(f"models:/{NAME}@{ALIAS}")
print(pd.DataFrame({"predicted": model.predict(unseen.head()), "true": wanted.head()}).round())
