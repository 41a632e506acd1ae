"""FastAPI with a SavedModel, as tutorials have it: `uvicorn serve_fastapi:app`."""

import os
from typing import Annotated

import tensorflow as tf
from fastapi import FastAPI, File, UploadFile
from photo import CLASSES, prepare

app = FastAPI()
model = tf.saved_model.load(f"{os.environ['BUNDLE']}/saved_model")
network = model.signatures["pixels"]


@app.post("/predict")
def predict(file: Annotated[UploadFile, File()]) -> dict[str, float]:
    """Name the classes' probabilities."""
    answer = network(pixels=tf.constant(prepare(file.file)))["probabilities"][0]
    return dict(zip(CLASSES, answer.numpy().tolist(), strict=True))
