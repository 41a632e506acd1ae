variable "project" {
  description = "The Google Cloud project's id. It has to exist, and to have billing."
  type        = string
}

variable "region" {
  description = "Where the bucket, the images and the jobs are, as in europe-west4."
  type        = string
}

variable "bucket" {
  description = "The bucket's name, unique in all of Cloud Storage; left out, it is <project>-chrysalis."
  type        = string
  default     = null
}

variable "name" {
  description = "What the registry is called, and what the accounts' names begin with."
  type        = string
  default     = "chrysalis"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,18}[a-z0-9]$", var.name))
    error_message = "Expected 4 to 20 of a-z, 0-9 and -, as accounts' names have up to 30."
  }
}

variable "developers" {
  description = "Who may push images, start jobs and deploy models, as in [\"user:me@example.com\", \"group:ml@example.com\"]."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.developers : can(regex("^(user|group|serviceAccount|principal|principalSet):", member))])
    error_message = "Expected members such as user:me@example.com; nobody anonymous."
  }
}

variable "source_buckets" {
  description = "Other buckets with photos that jobs are to read, as in [\"my-photos\"]. Whoever applies this must be able to grant roles on them."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for bucket in var.source_buckets : can(regex("^[a-z0-9][a-z0-9._-]+$", bucket))])
    error_message = "Expected buckets' names such as my-photos, without gs:// and folders."
  }
}

variable "scratch_days" {
  description = "After how many days objects under tmp/, which Dataflow leaves, are deleted."
  type        = number
  default     = 7
}

variable "kept_images" {
  description = "How many versions of each image are kept, whatever their age."
  type        = number
  default     = 10
}

variable "tensorboard" {
  description = "Whether jobs stream to a Vertex AI TensorBoard. Their account then gets the roles Vertex AI User, and Storage Admin on the bucket."
  type        = bool
  default     = false
}

variable "wandb" {
  description = "Whether trainings log to Weights & Biases: makes the secret for its key, which then needs a value."
  type        = bool
  default     = false
}
