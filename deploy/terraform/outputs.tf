locals {
  registry = google_artifact_registry_repository.images
  # What is to be put into each secret, and when.
  values = {
    chrysalis-api-key = "before TARGET=cloudrun: the key that requests must bring, of your own making"
    wandb-api-key     = "before a training: the key of https://wandb.ai/authorize"
  }
  environment = merge(
    {
      CHRYSALIS_PROJECT          = var.project
      CHRYSALIS_REGION           = var.region
      CHRYSALIS_BUCKET           = google_storage_bucket.stages.name
      CHRYSALIS_IMAGES           = "${local.registry.location}-docker.pkg.dev/${var.project}/${local.registry.name}"
      CHRYSALIS_TAG              = "latest"
      CHRYSALIS_SERVICE_ACCOUNT  = google_service_account.training.email
      CHRYSALIS_DATAFLOW_ACCOUNT = google_service_account.dataflow.email
      CHRYSALIS_SERVING_ACCOUNT  = google_service_account.serving.email
      CHRYSALIS_API_KEY_SECRET   = google_secret_manager_secret.keys["chrysalis-api-key"].secret_id
    },
    var.wandb ? { CHRYSALIS_WANDB_SECRET = google_secret_manager_secret.keys["wandb-api-key"].secret_id } : {},
    { for board in google_vertex_ai_tensorboard.jobs : "CHRYSALIS_TENSORBOARD" => board.name },
  )
}

output "environment" {
  description = "The .env of the repository, from its folder: terraform -chdir=deploy/terraform output -raw environment > .env.new && mv .env.new .env"
  value       = join("", [for name, value in local.environment : "${name}=${value}\n"])
}

output "next" {
  description = "What is left to do by hand."
  value = join("\n", concat(
    ["gcloud auth configure-docker ${local.registry.location}-docker.pkg.dev"],
    [for name in sort(keys(local.secrets)) : "# ${local.values[name]}\ngcloud secrets versions add ${name} --data-file=FILE --project ${var.project}"],
    ["make push && make doctor"],
  ))
}
