resource "google_vertex_ai_tensorboard" "jobs" {
  count = var.tensorboard ? 1 : 0

  display_name = var.name
  region       = var.region

  depends_on = [google_project_service.needed]
}
