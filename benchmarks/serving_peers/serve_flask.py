"""Flask with a SavedModel, as tutorials have it: `gunicorn serve_flask:app`."""

import os

import tensorflow as tf
from flask import Flask, jsonify, request
from flask.wrappers import Response
from photo import CLASSES, prepare

app = Flask(__name__)
model = tf.saved_model.load(f"{os.environ['BUNDLE']}/saved_model")
network = model.signatures["pixels"]


@app.post("/predict")
def predict() -> Response:
    """Name the classes' probabilities."""
    answer = network(pixels=tf.constant(prepare(request.files["file"].stream)))["probabilities"][0]
    return jsonify(dict(zip(CLASSES, answer.numpy().tolist(), strict=True)))
