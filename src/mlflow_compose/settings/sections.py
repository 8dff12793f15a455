"""The sections of `.env.example`, in order."""

STACK = "Stack"
MLFLOW = "MLflow"
TLS = "TLS: encrypted connections to MLflow, JupyterLab and pgAdmin"
POSTGRES = "Backend store (runs, params, metrics): PostgreSQL or SQLite"
S3 = "Artifact store: S3 or a folder"
JUPYTER = "JupyterLab: notebooks that are connected to the stack"
PGADMIN = "pgAdmin: the database in a browser"
SERVING = "Models that the stack serves"
CLASSROOM = "A class: a seat for each participant (docs/tutorial/classroom.md)"
KUBERNETES = "Kubernetes (docs/how-to/kubernetes.md)"
IMAGES = "Images"
MEMORY = "Memory, such as 512m or 2g; empty: no limit"
SECTIONS = (
    *(STACK, MLFLOW, TLS, POSTGRES, S3, JUPYTER, PGADMIN, SERVING),
    *(CLASSROOM, KUBERNETES, IMAGES, MEMORY),
)
