"""Likely label errors: images of which their own split's answers say with confidence that the label is wrong.

In: probabilities of every split by who never saw the label. The network's own for `val` and `test`, which it
wasn't trained on; for `train` those of `held_out`. Out: the images whose given class is the least likely,
as many as confident learning (Northcutt et al., 2021; cleanlab) estimates to be mislabelled.

How many of those are errors depends on how good the network is: of the digits six in seven and more were, of
CIFAR images under a network that is right on seven in ten, one in five. The likeliest stand first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from contracts.bundle import ImageSpec
from contracts.dataset import Split
from models.trainer.evaluation.predictions import Floats, Ints, Predictions

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class LabelError:
    """An image whose label is likely wrong."""

    filename: str
    """As in the records: the path inside the raw folder."""
    split: Split
    given: str
    """The class that it is labelled as."""
    suggested: str
    """The class that it looks like."""
    score: float
    """Probability of the given class, from who never saw the label: the lower, the likelier an error."""
    suggested_probability: float


class LabelErrors(NamedTuple):
    """What was found."""

    errors: tuple[LabelError, ...]
    """Likeliest first."""
    examined: dict[Split, int]
    """Images of each split that were judged."""


def find_label_errors(
    network: "keras.Model",
    features: str,
    shards: Mapping[Split, Sequence[str]],
    image: ImageSpec,
    class_names: Sequence[str],
    answered: Mapping[Split, Predictions],
    *,
    most: int,
    seed: int = 0,
) -> LabelErrors:
    """Look for label errors in the splits that were answered, and in the training split.

    Args:
        network: uint8 RGB [batch, size, size, 3] to logits [batch, classes].
        features: its layer of which the last one makes logits: [batch, channels].
        shards: local paths for each split; of `train` alone they are read, if it is there.
        image: how stored bytes become pixels.
        class_names: the index is the label.
        answered: the network's own answers for splits that it wasn't trained on.
        most: training images that are examined at the most; 0: none.
        seed: of what is examined of a large training split, and of the folds.

    Raises:
        InputError: a shard is damaged.
    """
    judged: dict[Split, Predictions] = {
        split: predictions for split, predictions in answered.items() if split != "train"
    }
    if most and "train" in shards:
        # TensorFlow and scikit-learn: not for those who only want the classes above.
        from models.trainer.evaluation.held_out import held_out_predictions

        judged["train"] = held_out_predictions(
            network, features, shards["train"], image, len(class_names), most, seed
        )
    return label_errors_of(judged, class_names)


def label_errors_of(judged: Mapping[Split, Predictions], class_names: Sequence[str]) -> LabelErrors:
    """Tell from out-of-sample probabilities which labels are likely wrong, over all splits together.

    Args:
        judged: for each split, probabilities by who never saw its labels.
        class_names: the index is the label.
    """
    labels = np.concatenate([predictions.labels for predictions in judged.values()])
    probabilities = np.concatenate([predictions.probabilities for predictions in judged.values()])
    images = [(split, name) for split, predictions in judged.items() for name in predictions.filenames]
    errors = tuple(
        LabelError(
            filename=images[row][1],
            split=images[row][0],
            given=class_names[labels[row]],
            suggested=class_names[probabilities[row].argmax()],
            score=float(probabilities[row, labels[row]]),
            suggested_probability=float(probabilities[row].max()),
        )
        for row in _suspects(labels, probabilities)
    )
    return LabelErrors(errors, {split: len(predictions.labels) for split, predictions in judged.items()})


def _suspects(labels: Ints, probabilities: Floats) -> Ints:
    """Rows of likely label errors, likeliest first.

    Their number is the confident joint's; which ones they are, the probability of the given class says. Of
    digits and CIFAR images with changed labels that found about as many as cleanlab's other filters, with
    fewer whose label was right.
    """
    from cleanlab.filter import find_label_issues

    if len(np.unique(labels)) < 2:
        return np.empty(0, np.int64)
    rows = find_label_issues(
        labels,
        probabilities,
        filter_by="low_self_confidence",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    return np.array([row for row in rows if probabilities[row].argmax() != labels[row]], np.int64)
