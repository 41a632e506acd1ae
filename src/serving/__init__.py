"""A bundle behind HTTP: encoded images come in, class names with their probabilities go out.

`app` holds the doors, `queueing` the one lane to the network, `predictor` what happens to an image there,
`runtimes` what runs the network: LiteRT, or TensorFlow, imported only where `--runtime` asks for it.
"""
