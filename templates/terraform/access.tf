# Who may connect to MLflow. .env can be changed without Terraform, so it does not decide what listens
# on a port that is open.

locals {
  is_open = length(var.allowed_cidrs) > 0
  access = merge(
    {
      MLFLOW_PORT        = tostring(var.port)
      STACK_BIND_ADDRESS = local.is_open ? "0.0.0.0" : "127.0.0.1"
    },
    local.is_open ? { STACK_TLS = "internal", MLFLOW_AUTH = "basic" } : {},
  )
}
