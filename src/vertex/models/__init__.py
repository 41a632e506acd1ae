"""A bundle as a version of a model, its endpoint, and who gets the requests."""
