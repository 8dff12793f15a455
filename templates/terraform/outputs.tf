output "env_secret" {
  description = "Secret that must hold .env."
  value       = aws_secretsmanager_secret.env.arn
}

output "instance_id" {
  description = "The server."
  value       = aws_instance.server.id
}

output "bucket" {
  description = "Bucket with the artifacts."
  value       = aws_s3_bucket.artifacts.bucket
}

output "database" {
  description = "Address of the database, which only the server can reach."
  value       = aws_db_instance.database.address
}

output "session" {
  description = "Command that opens a shell on the server."
  value       = "aws ssm start-session --region ${var.region} --target ${aws_instance.server.id}"
}

output "connect" {
  description = "Command that forwards MLflow's port to this machine."
  value = join(" ", [
    "aws ssm start-session --region ${var.region} --target ${aws_instance.server.id}",
    "--document-name AWS-StartPortForwardingSession",
    "--parameters portNumber=${var.port},localPortNumber=${var.port}",
  ])
}

output "url" {
  description = "Address of MLflow: with a forwarded port, or for allowed_cidrs."
  value       = "${var.uses_tls ? "https" : "http"}://${local.is_open ? aws_instance.server.private_ip : "127.0.0.1"}:${var.port}"
}
