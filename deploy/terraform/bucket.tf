# Everything that the stages hand on: raw/, interim/, processed/, models/, and what Dataflow needs in between, tmp/.
resource "google_storage_bucket" "stages" {
  name     = coalesce(var.bucket, "${var.project}-chrysalis")
  location = var.region

  # Rights come from the accounts' roles alone, and can't be given to all the world.
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  # A destroy that would take data with it fails.
  force_destroy = false

  # For a week, what was deleted or overwritten can be had back.
  soft_delete_policy {
    retention_duration_seconds = 604800
  }

  lifecycle_rule {
    action {
      type = "Delete"
    }
    condition {
      age            = var.scratch_days
      matches_prefix = ["tmp/"]
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = var.scratch_days
    }
  }

  depends_on = [google_project_service.needed]
}

resource "google_storage_bucket_iam_member" "writers" {
  for_each = {
    training = {
      # What writes a job's logs to a TensorBoard asks for this role: on this bucket, no other.
      role   = var.tensorboard ? "roles/storage.admin" : "roles/storage.objectUser"
      member = google_service_account.training.member
    }
    dataflow = { role = "roles/storage.objectUser", member = google_service_account.dataflow.member }
  }

  bucket = google_storage_bucket.stages.name
  role   = each.value.role
  member = each.value.member
}

resource "google_storage_bucket_iam_member" "readers" {
  bucket = google_storage_bucket.stages.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.serving.member
}

# What make download takes photos from: to read, and nothing else in it.
resource "google_storage_bucket_iam_member" "sources" {
  for_each = toset(var.source_buckets)

  bucket = each.value
  role   = "roles/storage.objectViewer"
  member = google_service_account.training.member
}
