# Fit a linear regression and log it to MLflow over its REST API.

library(httr2)

server <- Sys.getenv("MLFLOW_TRACKING_URI")
user <- Sys.getenv("MLFLOW_TRACKING_USERNAME")
now <- function() floor(as.numeric(Sys.time()) * 1000)

# A request to the server, with the login if there is one.
endpoint <- function(path) {
  found <- request(paste0(server, "/api/2.0/", path))
  if (user == "") return(found)
  req_auth_basic(found, user, Sys.getenv("MLFLOW_TRACKING_PASSWORD"))
}

# Send values as JSON, and return the answer.
post <- function(path, ...) {
  sent <- req_body_json(endpoint(paste0("mlflow/", path)), list(...), digits = 15)
  resp_body_json(req_perform(sent))
}

# The experiment, created if it does not exist yet.
name <- "example: R"
found <- post("experiments/search", filter = paste0("name = '", name, "'"), max_results = 1)
experiment <- if (length(found$experiments) > 0) {
  found$experiments[[1]]$experiment_id
} else {
  post("experiments/create", name = name)$experiment_id
}

# Stopping distances of cars by their speed, which come with R.
model <- lm(dist ~ speed, data = cars)
summarised <- summary(model)

run <- post("runs/create", experiment_id = experiment, run_name = "lm", start_time = now())
run <- run$run$info
for (term in names(coef(model))) {
  key <- gsub("[()]", "", term)
  value <- format(coef(model)[[term]], digits = 6)
  post("runs/log-parameter", run_id = run$run_id, key = key, value = value)
}
for (key in c("r.squared", "sigma")) {
  post("runs/log-metric", run_id = run$run_id, key = key, value = summarised[[key]], timestamp = now())
}

# A plot as an artifact.
svg_file <- tempfile(fileext = ".svg")
svg(svg_file, width = 6, height = 4)
plot(cars, main = "Stopping distance by speed")
abline(model)
invisible(dev.off())
folder <- sub("^mlflow-artifacts:/", "", run$artifact_uri)
artifact <- endpoint(paste0("mlflow-artifacts/artifacts/", folder, "/fit.svg"))
invisible(req_perform(req_method(req_body_file(artifact, svg_file), "PUT")))

invisible(post("runs/update", run_id = run$run_id, status = "FINISHED", end_time = now()))
cat("logged run", run$run_id, "with R squared", round(summarised$r.squared, 3), "\n")
