"""The training loop: several steps a call of a `tf.function`, the same for one device and for several.

It is ours because `keras.Model.fit` over several replicas crashes with several steps a call, takes the mean
of each replica's part for the mean of a ragged batch, and clips before the gradients are summed. Here a
batch's loss is the sum of loss times share (`models.trainer.input_pipeline`), gradients are summed over the
replicas, and the sum is clipped.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf


class Totals(NamedTuple):
    """Sums over the real images of some batches."""

    loss: float = 0.0
    correct: float = 0.0
    examples: float = 0.0
    seconds_waiting: float = 0.0
    """For data, as the host sees it."""

    def plus(self, other: "Totals") -> "Totals":
        """The sums of both."""
        return Totals._make(mine + theirs for mine, theirs in zip(self, other, strict=True))


Steps = Callable[[Any, int], Totals]
"""(iterator of batches, how many of them) to their sums."""


def train_steps(strategy: Any, network: Any, optimizer: Any, clip_norm: float = 0.0) -> Steps:
    """Make the function that trains.

    Args:
        strategy: under whose scope the network was built.
        network: to logits float32 [batch, classes].
        optimizer: its state is made here.
        clip_norm: largest global norm of a global batch's gradients; 0: any.
    """
    variables = network.trainable_variables
    with strategy.scope():
        optimizer.build(variables)

    def replica_step(images: Any, labels: Any, shares: Any) -> Any:
        with tf.GradientTape() as tape:
            losses, correct = _answers(network, images, labels, training=True)
            loss = tf.reduce_sum(losses * shares)
            if network.losses:  # regularizers: the same on every replica
                loss += tf.add_n(network.losses) / strategy.num_replicas_in_sync
            scaled = optimizer.scale_loss(loss)
        gradients = _summed(tape.gradient(scaled, variables))
        if clip_norm:
            limit = clip_norm * optimizer.scale_loss(tf.constant(1.0))
            gradients, _ = tf.clip_by_global_norm(gradients, limit)
        # The optimizer sums over the replicas as well, and they all hold the sum already.
        optimizer.apply([gradient / strategy.num_replicas_in_sync for gradient in gradients], variables)
        return _sums(losses, correct, shares)

    return _repeated(strategy, replica_step)


def evaluation_steps(strategy: Any, network: Any) -> Steps:
    """Make the function that measures, without a change to the network."""

    def replica_step(images: Any, labels: Any, shares: Any) -> Any:
        return _sums(*_answers(network, images, labels, training=False), shares)

    return _repeated(strategy, replica_step)


def in_calls(steps: int, steps_per_call: int) -> Iterator[int]:
    """Split the steps of an epoch into calls: (10, 4) gives 4, 4, 2."""
    for done in range(0, steps, steps_per_call):
        yield min(steps_per_call, steps - done)


def _answers(network: Any, images: Any, labels: Any, *, training: bool) -> tuple[Any, Any]:
    """Loss and correctness of each image: float32 [batch] each."""
    logits = tf.cast(network(images, training=training), tf.float32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return losses, tf.cast(tf.argmax(logits, axis=1) == labels, tf.float32)


def _sums(losses: Any, correct: Any, shares: Any) -> Any:
    real = tf.cast(shares > 0, tf.float32)
    return tf.stack([tf.reduce_sum(losses * real), tf.reduce_sum(correct * real), tf.reduce_sum(real)])


def _summed(gradients: list[Any]) -> list[Any]:
    context = tf.distribute.get_replica_context()
    return list(context.all_reduce(tf.distribute.ReduceOp.SUM, gradients))


def _repeated(strategy: Any, replica_step: Callable[[Any, Any, Any], Any]) -> Steps:
    """Make `replica_step` run on every replica, several times a call."""

    # A written-out loop rather than AutoGraph's, which TensorFlow 2.21 lacks on Python 3.13.
    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def run(iterator: Any, steps: Any) -> tuple[Any, Any]:
        def step(done: Any, totals: Any, waited: Any) -> tuple[Any, Any, Any]:
            batch, seconds = _timed_next(iterator, totals)
            sums = strategy.run(replica_step, args=batch)
            totals += strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)
            return done + 1, totals, waited + seconds

        begin = (tf.constant(0), tf.zeros([3]), tf.zeros([], tf.float64))
        _, totals, waited = tf.while_loop(lambda done, *_: done < steps, step, begin)
        return totals, waited

    def call(iterator: Any, steps: int) -> Totals:
        totals, waited = run(iterator, tf.constant(steps))
        loss, correct, examples = totals.numpy().tolist()
        return Totals(loss, correct, examples, float(waited))

    return call


def _timed_next(iterator: Any, after: Any) -> tuple[Any, Any]:
    """The next batch, and the seconds that it took since `after` was there."""
    with tf.control_dependencies([after]):
        begin = tf.timestamp()
    with tf.control_dependencies([begin]):
        batch = next(iterator)
    with tf.control_dependencies(tf.nest.flatten(batch, expand_composites=True)):
        return batch, tf.timestamp() - begin
