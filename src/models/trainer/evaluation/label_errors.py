"""Likely label errors: images of which their own split's answers say with confidence that the label is wrong.

In: probabilities of every split by who never saw the label. The network's own for `val` and `test`, which it
wasn't trained on; for `train` those of `held_out`. Out: the images whose given class is the least likely,
as many as confident learning (Northcutt et al., 2021; cleanlab) estimates to be mislabelled.

How many of those are errors depends on how good the network is: of the digits six in seven and more were, of
CIFAR images under a network that is right on seven in ten, one in five. The likeliest stand first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from contracts.bundle import ImageSpec
from contracts.dataset import Split
from models.trainer.evaluation.calibration import fit_temperature, tempered
from models.trainer.evaluation.predictions import Floats, Ints, Predictions

if TYPE_CHECKING:
    import keras

MANY_SUSPECTS = 0.1
"""Share of the examined images above which likely errors are more likely hard images."""
MANY_CONTRADICTED = 0.2
"""The same of the images for which another class than their own is the most probable."""


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
    """Calibrated probability of the given class, from who never saw the label: the lower, the likelier."""
    suggested_probability: float
    """Calibrated too."""


class LabelErrors(NamedTuple):
    """What was found."""

    errors: tuple[LabelError, ...]
    """Likeliest first."""
    examined: dict[Split, int]
    """Images of each split that were judged."""
    contradicted: int
    """Images among them for which another class than the given one is the most probable."""

    @property
    def images(self) -> int:
        """How many were judged, of all splits."""
        return sum(self.examined.values())

    @property
    def doubtful(self) -> bool:
        """Whether so many labels are contradicted that most of it says more of the network than of them."""
        suspects = len(self.errors)
        return suspects > MANY_SUSPECTS * self.images or self.contradicted > MANY_CONTRADICTED * self.images


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
    return label_errors_of(judged, class_names, overconfident=("train",))


def label_errors_of(
    judged: Mapping[Split, Predictions], class_names: Sequence[str], *, overconfident: Sequence[Split] = ()
) -> LabelErrors:
    """Tell from out-of-sample probabilities which labels are likely wrong, over all splits together.

    Args:
        judged: for each split, probabilities by who never saw its labels.
        class_names: the index is the label.
        overconfident: splits whose probabilities aren't calibrated; what is told of them, is.
    """
    labels = np.concatenate([predictions.labels for predictions in judged.values()])
    answered = np.concatenate([predictions.probabilities for predictions in judged.values()])
    probabilities = np.concatenate(
        [
            (self_calibrated(predictions) if split in overconfident else predictions).probabilities
            for split, predictions in judged.items()
        ]
    )
    named = answered.argmax(axis=1)
    images = [(split, name) for split, predictions in judged.items() for name in predictions.filenames]
    errors = (
        LabelError(
            filename=images[row][1],
            split=images[row][0],
            given=class_names[labels[row]],
            suggested=class_names[named[row]],
            score=float(probabilities[row, labels[row]]),
            suggested_probability=float(probabilities[row].max()),
        )
        for row in _suspects(labels, answered)
    )
    return LabelErrors(
        tuple(sorted(errors, key=lambda error: error.score)),
        {split: len(predictions.labels) for split, predictions in judged.items()},
        int((named != labels).sum()),
    )


def self_calibrated(predictions: Predictions) -> Predictions:
    """Temper probabilities by a temperature that is fitted on themselves.

    It is one number for thousands of images, so it hardly learns from any of them.
    """
    if not len(predictions.labels):
        return predictions
    temperature = fit_temperature(predictions.probabilities, predictions.labels)
    return replace(predictions, probabilities=tempered(predictions.probabilities, temperature))


def _suspects(labels: Ints, probabilities: Floats) -> Ints:
    """Rows of likely label errors.

    Their number is the confident joint's; which ones they are, the probability of the given class says. Of
    digits and CIFAR images with changed labels that found about as many as cleanlab's other filters, with
    fewer whose label was right.

    Of training images these are `held_out`'s probabilities as they come, too sure as they are. Tempered, too,
    they found fewer. Of labels changed in all splits, 5 %, this many were found, among so many reported:

        network                                          changed    as they come    tempered
        vgg16 as it is trained by default, digits             90       86 of 86     58 of 58
        cnn conv as by default, digits                        90       83 of 96     65 of 68
        MobileNet trained on the right labels, CIFAR         300    276 of 1377  269 of 1170
        cnn conv trained on the right labels, CIFAR          300    269 of 1249   259 of 890
        cnn conv trained on the right labels, digits          90      84 of 102     66 of 67
    """
    from cleanlab.filter import find_label_issues

    if len(np.unique(labels)) < 2:
        return np.empty(0, np.int64)
    found = find_label_issues(labels, probabilities, filter_by="low_self_confidence", n_jobs=1)
    return np.flatnonzero(found & (probabilities.argmax(axis=1) != labels))
