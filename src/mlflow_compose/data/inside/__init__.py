"""What runs where MLflow runs, sent there as sources: it may use what MLflow's image has."""
