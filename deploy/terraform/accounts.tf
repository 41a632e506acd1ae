# One account for each kind of work, so that a server can't write data and a job can't read the server's key.
resource "google_service_account" "training" {
  account_id   = "${var.name}-training"
  display_name = "Chrysalis: jobs on Vertex AI"

  depends_on = [google_project_service.needed]
}

resource "google_service_account" "serving" {
  account_id   = "${var.name}-serving"
  display_name = "Chrysalis: servers on Vertex AI and Cloud Run"

  depends_on = [google_project_service.needed]
}

resource "google_service_account" "dataflow" {
  account_id   = "${var.name}-dataflow"
  display_name = "Chrysalis: Dataflow's workers"

  depends_on = [google_project_service.needed]
}

# What has to be granted on the project, as there is nothing smaller to grant it on.
resource "google_project_iam_member" "accounts" {
  for_each = merge(
    {
      training-logs = { role = "roles/logging.logWriter", member = google_service_account.training.member }
      serving-logs  = { role = "roles/logging.logWriter", member = google_service_account.serving.member }
      dataflow      = { role = "roles/dataflow.worker", member = google_service_account.dataflow.member }
      # A job may start Dataflow's: make records RUN=dataflow, where there is no docker.
      training-dataflow = { role = "roles/dataflow.developer", member = google_service_account.training.member }
    },
    var.tensorboard ? {
      training-tensorboard = { role = "roles/aiplatform.user", member = google_service_account.training.member }
    } : {},
  )

  project = var.project
  role    = each.value.role
  member  = each.value.member
}

resource "google_service_account_iam_member" "training_as_dataflow" {
  service_account_id = google_service_account.dataflow.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.training.member
}
