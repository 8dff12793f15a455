# Rendered from .env. Values of your own belong in override.auto.tfvars, which takes precedence.
name       = "team-blue"
stack_id   = "0123456789abcdef"
region     = "eu-central-1"
bucket     = "mlflow"
database   = "runs"
port       = 5443
uses_tls   = true
uses_login = true
