# What the people need who work with it, and no more: no role lets them change the project or its roles.
locals {
  project_roles = toset([
    "roles/aiplatform.user",
    "roles/dataflow.developer",
    "roles/logging.viewer",
    "roles/run.developer",
    "roles/serviceusage.serviceUsageConsumer",
  ])
  # Its objects, and where it is.
  bucket_roles = toset(["roles/storage.objectUser", "roles/storage.bucketViewer"])
  accounts = {
    training = google_service_account.training.name
    serving  = google_service_account.serving.name
    dataflow = google_service_account.dataflow.name
  }
}

resource "google_project_iam_member" "developers" {
  for_each = { for pair in setproduct(local.project_roles, var.developers) : join(" ", pair) => pair }

  project = var.project
  role    = each.value[0]
  member  = each.value[1]
}

resource "google_storage_bucket_iam_member" "developers" {
  for_each = { for pair in setproduct(local.bucket_roles, var.developers) : join(" ", pair) => pair }

  bucket = google_storage_bucket.stages.name
  role   = each.value[0]
  member = each.value[1]
}

# Whether there is a version and it is enabled, which `make doctor` asks; not the value.
resource "google_secret_manager_secret_iam_member" "developers" {
  for_each = { for pair in setproduct(keys(local.secrets), var.developers) : join(" ", pair) => pair }

  secret_id = google_secret_manager_secret.keys[each.value[0]].id
  role      = "roles/secretmanager.viewer"
  member    = each.value[1]
}

resource "google_artifact_registry_repository_iam_member" "developers" {
  for_each = toset(var.developers)

  repository = google_artifact_registry_repository.images.name
  location   = google_artifact_registry_repository.images.location
  role       = "roles/artifactregistry.writer"
  member     = each.value
}

# To start a job as an account.
resource "google_service_account_iam_member" "developers" {
  for_each = { for pair in setproduct(keys(local.accounts), var.developers) : join(" ", pair) => pair }

  service_account_id = local.accounts[each.value[0]]
  role               = "roles/iam.serviceAccountUser"
  member             = each.value[1]
}
