terraform {
  # Validations that involve several variables.
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      "mlflow-compose.name"  = var.name
      "mlflow-compose.stack" = var.stack_id
    }
  }
}
