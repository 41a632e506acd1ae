# Containers only: `gcloud secrets versions add NAME --data-file=FILE` puts a value in, past Terraform's state.
locals {
  # Each secret, and the only account that may read it.
  secrets = merge(
    { chrysalis-api-key = google_service_account.serving.member },
    var.wandb ? { wandb-api-key = google_service_account.training.member } : {},
  )
}

resource "google_secret_manager_secret" "keys" {
  for_each = local.secrets

  secret_id = each.key

  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }

  depends_on = [google_project_service.needed]
}

resource "google_secret_manager_secret_iam_member" "readers" {
  for_each = local.secrets

  secret_id = google_secret_manager_secret.keys[each.key].id
  role      = "roles/secretmanager.secretAccessor"
  member    = each.value
}
