"""The sections of `.env.example`, in their order."""

STACK = "Stack"
MLFLOW = "MLflow"
POSTGRES = "Runs, params, metrics: PostgreSQL, or a file"
S3 = "Artifacts: S3, or a folder"
IMAGES = "Images"
MEMORY = "Memory limits, in Compose's notation; empty is no limit"
SECTIONS = (STACK, MLFLOW, POSTGRES, S3, IMAGES, MEMORY)
