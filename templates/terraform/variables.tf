# Rendered from the stack's settings, in terraform.tfvars. Values of your own belong in
# override.auto.tfvars, which takes precedence.

variable "name" {
  description = "Name of the stack; its resources are named after it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 32
    error_message = "name must start with a letter, and have at most 32 lowercase letters, digits and single hyphens."
  }
}

variable "stack_id" {
  description = "Id of the stack, a tag of everything that belongs to it."
  type        = string
}

variable "region" {
  description = "Region of AWS."
  type        = string
}

variable "bucket" {
  description = "Part of the bucket's name, between name and the account and region: names are global."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,30}$", var.bucket))
    error_message = "bucket must have 2 to 31 lowercase letters, digits and hyphens."
  }

  validation {
    # An account has 12 digits, and three hyphens join the four.
    condition     = length(var.name) + length(var.bucket) + 12 + length(var.region) + 3 <= 63
    error_message = "name and bucket are too long: the bucket's name consists of them, the account and the region, and has at most 63 characters."
  }
}

variable "database" {
  description = "Name of the database."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_]{0,62}$", var.database))
    error_message = "database must be a name that RDS accepts: a letter, then letters, digits and underscores, at most 63."
  }
}

variable "port" {
  description = "Port of MLflow on the server."
  type        = number
}

variable "uses_tls" {
  description = "Whether the stack encrypts connections (STACK_TLS)."
  type        = bool
}

variable "uses_login" {
  description = "Whether users log in to MLflow (MLFLOW_AUTH)."
  type        = bool
}

variable "tool" {
  description = "What pip installs on the server, as root: the URL of a Git repository with a commit, or of a wheel with its hash."
  type        = string

  validation {
    condition     = can(regex("^[[:graph:] ]+$", var.tool))
    error_message = "tool must be one line."
  }

  validation {
    # A name would be whatever the package index has under it.
    condition     = can(regex("^([[:word:].-]+ @ )?(git\\+(https|ssh)://[^ #]+@[0-9a-f]{40}(#[^ ]*)?|https://[^ #]+#([^ ]*&)?sha256=[0-9a-f]{64})$", var.tool))
    error_message = "tool must be a URL that always means the same: git+https://…@COMMIT, or https://….whl#sha256=HASH."
  }

  validation {
    condition     = !can(regex("https?://[^/]*@", var.tool)) && !can(regex("://[^/@]*:[^/@]*@", var.tool))
    error_message = "tool must not contain a password or token: it is in Terraform's state, and the server's containers can read it."
  }
}

# Choices of your own.

variable "allowed_cidrs" {
  description = "Networks that may connect to MLflow; none: only through AWS Systems Manager."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.allowed_cidrs : can(cidrnetmask(cidr))])
    error_message = "allowed_cidrs must be IPv4 networks such as 10.20.0.0/16."
  }

  validation {
    # The first address of the network, under the mask of a private one, is that private one's.
    condition = alltrue([for cidr in var.allowed_cidrs : anytrue([
      for private in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"] :
      try(
        tonumber(split("/", cidr)[1]) >= tonumber(split("/", private)[1])
        && cidrhost("${split("/", cidr)[0]}/${split("/", private)[1]}", 0) == split("/", private)[0],
        false,
      )
    ])])
    error_message = "allowed_cidrs must be inside 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10: MLflow must not be open to the Internet."
  }

  validation {
    condition     = length(var.allowed_cidrs) == 0 || (var.uses_tls && var.uses_login)
    error_message = "allowed_cidrs requires STACK_TLS=internal and MLFLOW_AUTH=basic in .env; then render again."
  }
}

variable "vpc_cidr" {
  description = "Addresses of the network that is created."
  type        = string
  default     = "10.47.0.0/24"

  validation {
    condition     = can(cidrnetmask(var.vpc_cidr)) && try(contains(range(16, 25), tonumber(split("/", var.vpc_cidr)[1])), false)
    error_message = "vpc_cidr must be an IPv4 network from /16 to /24."
  }
}

variable "instance_type" {
  description = "Type of the server."
  type        = string
  default     = "t3.medium"
}

variable "architecture" {
  description = "Architecture of instance_type: amd64 or arm64."
  type        = string
  default     = "amd64"

  validation {
    condition     = contains(["amd64", "arm64"], var.architecture)
    error_message = "architecture must be amd64 or arm64."
  }
}

variable "disk_gb" {
  description = "Size of the server's disk, for images and for artifacts in transit."
  type        = number
  default     = 40

  validation {
    condition     = var.disk_gb >= 20
    error_message = "disk_gb must be at least 20."
  }
}

variable "database_version" {
  description = "Major version of PostgreSQL."
  type        = string
  default     = "18"

  validation {
    condition     = can(regex("^1[4-9]$", var.database_version))
    error_message = "database_version must be a major version from 14."
  }
}

variable "database_class" {
  description = "Instance class of the database."
  type        = string
  default     = "db.t4g.small"
}

variable "database_gb" {
  description = "Initial size of the database's disk."
  type        = number
  default     = 20

  validation {
    condition     = var.database_gb >= 20
    error_message = "database_gb must be at least 20, the smallest gp3 disk."
  }
}

variable "database_max_gb" {
  description = "Size to which the database's disk grows by itself."
  type        = number
  default     = 200

  validation {
    condition     = var.database_max_gb > var.database_gb
    error_message = "database_max_gb must be greater than database_gb."
  }
}

variable "multi_az" {
  description = "Whether the database has a standby in a second zone."
  type        = bool
  default     = false
}

variable "backup_days" {
  description = "Days for which the database can be restored to any second."
  type        = number
  default     = 14

  validation {
    condition     = contains(range(1, 36), var.backup_days)
    error_message = "backup_days must be between 1 and 35: a database without backups is not allowed."
  }
}

variable "noncurrent_days" {
  description = "Days for which deleted and overwritten artifacts can be restored."
  type        = number
  default     = 30

  validation {
    condition     = var.noncurrent_days >= 1
    error_message = "noncurrent_days must be at least 1."
  }
}

variable "deletion_protection" {
  description = "Whether AWS refuses to delete the database; set it to false and apply before destroy."
  type        = bool
  default     = true
}
