# The project's own resources: APIs, bucket, images' registry, accounts with least rights, secrets.
#   gcloud services enable cloudresourcemanager.googleapis.com serviceusage.googleapis.com --project my-project
#   terraform init
#   terraform apply -var project=my-project -var region=europe-west4
#   terraform output -raw environment > ../../.env.new && mv ../../.env.new ../../.env
# The two services come first, as Terraform itself asks them, and some minutes pass until a new project answers.
# The state holds no secret: the secrets made here are empty, and gcloud puts their values in. It stays on this
# machine, unless a backend is added.

terraform {
  required_version = ">= 1.5"

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region
}
