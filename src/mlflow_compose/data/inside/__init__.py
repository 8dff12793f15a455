"""Code that runs in the mlflow service, sent as sources; it may use what MLflow's image has."""
