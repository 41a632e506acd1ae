# `terraform test`: the plan with made-up answers of Google's, so that nothing is created.
mock_provider "google" {}

variables {
  project = "my-project"
  region  = "europe-west4"
}

run "settings_come_out" {
  assert {
    condition     = strcontains(output.environment, "CHRYSALIS_PROJECT=my-project\nCHRYSALIS_REGION=europe-west4\n")
    error_message = "Expected NAME=value lines, got ${output.environment}"
  }
  assert {
    condition     = strcontains(output.environment, "CHRYSALIS_BUCKET=my-project-chrysalis\n")
    error_message = "Expected the bucket's default name."
  }
  assert {
    condition     = !strcontains(output.environment, "CHRYSALIS_TENSORBOARD")
    error_message = "Expected no TensorBoard where none is asked for."
  }
  assert {
    condition     = !strcontains(output.environment, "CHRYSALIS_WANDB_SECRET") && keys(google_secret_manager_secret.keys) == ["chrysalis-api-key"]
    error_message = "Expected no secret for Weights & Biases where none is asked for."
  }
  assert {
    condition     = strcontains(output.next, "gcloud secrets versions add chrysalis-api-key") && !strcontains(output.next, "wandb")
    error_message = "Expected what is left to do, and no more; got ${output.next}"
  }
  assert {
    condition     = google_storage_bucket_iam_member.writers["training"].role == "roles/storage.objectUser"
    error_message = "Expected a bucket's administrator only for a TensorBoard."
  }
  assert {
    condition     = length(google_storage_bucket_iam_member.sources) == 0
    error_message = "Expected no right to other buckets."
  }
  assert {
    condition     = length(google_project_iam_member.developers) == 0
    error_message = "Expected nobody to be given a role that isn't named."
  }
}

run "people_and_a_board" {
  variables {
    bucket      = "own-bucket"
    tensorboard = true
    wandb       = true
    developers  = ["user:me@example.com", "group:ml@example.com"]
  }

  assert {
    condition     = strcontains(output.environment, "CHRYSALIS_BUCKET=own-bucket\n") && strcontains(output.environment, "CHRYSALIS_TENSORBOARD=")
    error_message = "Expected the bucket that is given, and the board."
  }
  assert {
    condition     = length(google_service_account_iam_member.developers) == 6 && length(google_storage_bucket_iam_member.developers) == 4 && length(google_secret_manager_secret_iam_member.developers) == 4
    error_message = "Expected each of two to run as three accounts, to use the bucket, and to see both secrets' state."
  }
  assert {
    condition     = strcontains(output.environment, "CHRYSALIS_WANDB_SECRET=wandb-api-key\n") && strcontains(output.next, "versions add wandb-api-key")
    error_message = "Expected the secret's name in the settings, and its value among what is left to do."
  }
  assert {
    condition     = google_storage_bucket_iam_member.writers["training"].role == "roles/storage.admin"
    error_message = "Expected the role that a TensorBoard's logs need."
  }
}

run "nobody_anonymous" {
  command = plan

  variables {
    developers = ["allUsers"]
  }

  expect_failures = [var.developers]
}

run "photos_in_another_bucket" {
  variables {
    source_buckets = ["my-photos"]
  }

  assert {
    condition     = google_storage_bucket_iam_member.sources["my-photos"].role == "roles/storage.objectViewer"
    error_message = "Expected that jobs may read it."
  }
}

run "a_bucket_is_named_without_its_scheme" {
  command = plan

  variables {
    source_buckets = ["gs://my-photos"]
  }

  expect_failures = [var.source_buckets]
}

run "a_short_name" {
  command = plan

  variables {
    name = "a-name-that-leaves-no-room-for-training"
  }

  expect_failures = [var.name]
}
