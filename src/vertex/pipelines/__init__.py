"""The chain as a Kubeflow pipeline."""
