# Terraform creates the secret without a value: you put .env there yourself, so that it is never in
# Terraform's state.
resource "aws_secretsmanager_secret" "env" {
  # A deleted secret keeps its name for a while.
  name_prefix             = "${var.name}-env-"
  description             = "The .env of the stack ${var.name}."
  recovery_window_in_days = 7
}

data "aws_iam_policy_document" "ec2" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "server" {
  name_prefix        = "${var.name}-"
  assume_role_policy = data.aws_iam_policy_document.ec2.json
}

data "aws_iam_policy_document" "server" {
  statement {
    sid       = "Bucket"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"]
    resources = [aws_s3_bucket.artifacts.arn]
  }

  statement {
    sid = "Objects"
    actions = [
      "s3:GetObject",
      "s3:PutObject",
      "s3:DeleteObject",
      "s3:AbortMultipartUpload",
      "s3:ListMultipartUploadParts",
    ]
    resources = ["${aws_s3_bucket.artifacts.arn}/*"]
  }

  # What a session needs, instead of AmazonSSMManagedInstanceCore, which also reads all parameters of
  # the account. AWS names no resources for these actions.
  statement {
    sid = "Sessions"
    actions = [
      "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"]
  }

  statement {
    sid     = "Secrets"
    actions = ["secretsmanager:GetSecretValue"]
    resources = [
      aws_secretsmanager_secret.env.arn,
      aws_db_instance.database.master_user_secret[0].secret_arn,
    ]
  }
}

resource "aws_iam_role_policy" "server" {
  name   = "stack"
  role   = aws_iam_role.server.id
  policy = data.aws_iam_policy_document.server.json
}

resource "aws_iam_instance_profile" "server" {
  name_prefix = "${var.name}-"
  role        = aws_iam_role.server.name
}

# Read by whoever runs Terraform; the server itself may read no parameter.
data "aws_ssm_parameter" "ubuntu" {
  name = "/aws/service/canonical/ubuntu/server/24.04/stable/current/${var.architecture}/hvm/ebs-gp3/ami-id"
}

locals {
  folder = "/srv/${var.name}"
  # Settings that follow from these resources; all others are those of .env.
  settings = {
    COMPOSE_PROJECT_NAME    = var.name
    STACK_ENGINE            = "docker"
    BACKEND_STORE           = "postgres"
    PG_HOST                 = aws_db_instance.database.address
    PG_PORT                 = tostring(local.postgresql)
    PG_DATABASE             = var.database
    PG_PUBLISH              = "false"
    PG_SSLMODE              = "verify-full"
    PG_SSLROOTCERT          = "rds-ca.pem"
    ARTIFACT_STORE          = "s3"
    MLFLOW_ARTIFACT_ACCESS  = "proxied"
    MINIO_HOST              = "aws"
    MINIO_STORAGE_USE_HTTPS = "false"
    MINIO_STORAGE_CA_CERTS  = ""
    MINIO_STORAGE_CHECKSUMS = "when_supported"
    MINIO_VOLUME_PATH       = ""
    S3_CREDENTIALS          = "role"
    MLFLOW_BUCKET_NAME      = aws_s3_bucket.artifacts.bucket
    MLFLOW_BUCKET_CREATE    = "false"
    AWS_DEFAULT_REGION      = var.region
  }
  server = {
    folder        = local.folder
    region        = var.region
    env_secret    = aws_secretsmanager_secret.env.arn
    master_secret = aws_db_instance.database.master_user_secret[0].secret_arn
    settings      = merge(local.settings, local.access)
  }
}

# It holds no data: what counts is in the database, the bucket and the secret, so it may be replaced.
resource "aws_instance" "server" {
  ami                         = data.aws_ssm_parameter.ubuntu.value
  instance_type               = var.instance_type
  subnet_id                   = aws_subnet.server.id
  vpc_security_group_ids      = [aws_security_group.server.id]
  associate_public_ip_address = true
  iam_instance_profile        = aws_iam_instance_profile.server.name
  user_data_replace_on_change = true
  tags                        = { Name = var.name }

  user_data = templatefile("${path.module}/server/cloud-config.yaml.tftpl", {
    tool      = var.tool
    server    = jsonencode(local.server)
    installer = file("${path.module}/server/install_tool.sh")
    program   = file("${path.module}/server/start_stack.py")
    folder    = local.folder
  })

  metadata_options {
    http_tokens = "required"
    # Containers are one hop further away, and MLflow needs the role for the bucket.
    http_put_response_hop_limit = 2
  }

  root_block_device {
    volume_type = "gp3"
    volume_size = var.disk_gb
    encrypted   = true
  }

  lifecycle {
    # A newer image of Ubuntu is no reason to replace the server, which updates itself.
    ignore_changes = [ami]
  }

  depends_on = [
    aws_iam_role_policy.server,
    aws_route_table_association.server,
    aws_vpc_security_group_egress_rule.internet,
  ]
}
