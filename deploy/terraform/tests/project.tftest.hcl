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
    condition     = length(google_project_iam_member.developers) == 0
    error_message = "Expected nobody to be given a role that isn't named."
  }
}

run "people_and_a_board" {
  variables {
    bucket      = "own-bucket"
    tensorboard = true
    developers  = ["user:me@example.com", "group:ml@example.com"]
  }

  assert {
    condition     = strcontains(output.environment, "CHRYSALIS_BUCKET=own-bucket\n") && strcontains(output.environment, "CHRYSALIS_TENSORBOARD=")
    error_message = "Expected the bucket that is given, and the board."
  }
  assert {
    condition     = length(google_service_account_iam_member.developers) == 6 && length(google_storage_bucket_iam_member.developers) == 2
    error_message = "Expected each of two to run as three accounts, and to use the bucket."
  }
}

run "nobody_anonymous" {
  command = plan

  variables {
    developers = ["allUsers"]
  }

  expect_failures = [var.developers]
}

run "a_short_name" {
  command = plan

  variables {
    name = "a-name-that-leaves-no-room-for-training"
  }

  expect_failures = [var.name]
}
