"""Custom jobs: what a stage becomes, and what can be done with it once it is sent."""
