# A network of its own. Nothing can connect from outside unless allowed_cidrs says so; the server has
# a public address only because it needs the Internet for packages and AWS, without a NAT gateway.

data "aws_availability_zones" "available" {
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  zones   = slice(data.aws_availability_zones.available.names, 0, 2)
  subnets = cidrsubnets(var.vpc_cidr, 3, 3, 3)
  # What MLflow, the database and AWS listen on.
  https = 443
  # Ubuntu's package mirrors; packages are signed.
  http       = 80
  postgresql = 5432
}

resource "aws_vpc" "stack" {
  cidr_block           = var.vpc_cidr
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

# Without rules, so that whatever is created in this network without a group of its own is closed.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.stack.id
  tags   = { Name = "${var.name}-default" }
}

resource "aws_internet_gateway" "stack" {
  vpc_id = aws_vpc.stack.id
  tags   = { Name = var.name }
}

resource "aws_subnet" "server" {
  vpc_id            = aws_vpc.stack.id
  cidr_block        = local.subnets[0]
  availability_zone = local.zones[0]
  tags              = { Name = "${var.name}-server" }
}

# Without a route to the Internet. RDS requires two zones, even without a standby.
resource "aws_subnet" "database" {
  count             = 2
  vpc_id            = aws_vpc.stack.id
  cidr_block        = local.subnets[count.index + 1]
  availability_zone = local.zones[count.index]
  tags              = { Name = "${var.name}-database-${count.index + 1}" }
}

resource "aws_route_table" "server" {
  vpc_id = aws_vpc.stack.id
  tags   = { Name = "${var.name}-server" }

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.stack.id
  }
}

resource "aws_route_table_association" "server" {
  subnet_id      = aws_subnet.server.id
  route_table_id = aws_route_table.server.id
}

# Artifacts do not leave AWS's network.
resource "aws_vpc_endpoint" "s3" {
  vpc_id          = aws_vpc.stack.id
  service_name    = "com.amazonaws.${var.region}.s3"
  route_table_ids = [aws_route_table.server.id]
  tags            = { Name = "${var.name}-s3" }
}

resource "aws_security_group" "server" {
  name        = "${var.name}-server"
  description = "The server of the stack ${var.name}."
  vpc_id      = aws_vpc.stack.id
  tags        = { Name = "${var.name}-server" }
}

resource "aws_vpc_security_group_ingress_rule" "mlflow" {
  for_each          = toset(var.allowed_cidrs)
  security_group_id = aws_security_group.server.id
  description       = "MLflow, with TLS and a login."
  cidr_ipv4         = each.value
  from_port         = var.port
  to_port           = var.port
  ip_protocol       = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "internet" {
  for_each          = { https = local.https, http = local.http }
  security_group_id = aws_security_group.server.id
  description       = "Packages, images and AWS (${each.key})."
  cidr_ipv4         = "0.0.0.0/0"
  from_port         = each.value
  to_port           = each.value
  ip_protocol       = "tcp"
}

resource "aws_vpc_security_group_egress_rule" "database" {
  security_group_id            = aws_security_group.server.id
  description                  = "The database."
  referenced_security_group_id = aws_security_group.database.id
  from_port                    = local.postgresql
  to_port                      = local.postgresql
  ip_protocol                  = "tcp"
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "The database of the stack ${var.name}."
  vpc_id      = aws_vpc.stack.id
  tags        = { Name = "${var.name}-database" }
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL, from the server only."
  referenced_security_group_id = aws_security_group.server.id
  from_port                    = local.postgresql
  to_port                      = local.postgresql
  ip_protocol                  = "tcp"
}
