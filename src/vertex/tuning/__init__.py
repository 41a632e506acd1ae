"""Hyperparameter tuning jobs: a training's search as a study of Vertex AI's."""
