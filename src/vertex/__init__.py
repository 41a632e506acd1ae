"""The host's side of Vertex AI: the same stages, from the same options, as custom jobs.

In go the stage's options and where to run it (`settings`); out goes one request to the job service, made and
sent with Google's own client. Nothing here runs inside a container.
"""
