"""The training loop: several steps a call of a `tf.function`, the same for one device and for several.

It is ours because `keras.Model.fit` over several replicas crashes with several steps a call, takes the mean
of each replica's part for the mean of a ragged batch, and clips before the gradients are summed. Here a
batch's loss is the sum of loss times share (`models.trainer.input_pipeline`), gradients are summed over the
replicas, and the sum is clipped.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from models.trainer.objective import Objective


class Totals(NamedTuple):
    """Sums over some batches."""

    loss: float = 0.0
    """Over their images."""
    correct: float = 0.0
    examples: float = 0.0
    gradient_norm: float = 0.0
    """Over their steps."""
    requests: float = 0.0
    """Of all replicas: what `request` was at each."""
    seconds_waiting: float = 0.0
    """For data, as this host sees it."""

    def plus(self, other: "Totals") -> "Totals":
        """The sums of both."""
        return Totals._make(mine + theirs for mine, theirs in zip(self, other, strict=True))


Steps = Callable[[Any, int, float], Totals]
"""(iterator of batches, how many of them, a request to all hosts) to their sums."""


def train_steps(
    strategy: Any,
    network: Any,
    optimizer: Any,
    objective: Objective,
    *,
    clip_norm: float = 0.0,
    accumulate: int = 1,
    xla: bool = False,
) -> Steps:
    """Make the function that trains.

    Args:
        strategy: under whose scope the network was built.
        network: to logits float32 [batch, classes].
        optimizer: its state is made here.
        objective: what is made small.
        clip_norm: largest global norm of a global batch's gradients; 0: any.
        accumulate: parts in which a replica computes its share of a batch; they divide it.
        xla: compile the passes.
    """
    variables = network.trainable_variables
    replicas = strategy.num_replicas_in_sync
    with strategy.scope():
        optimizer.build(variables)

    def part(images: Any, labels: Any, shares: Any) -> tuple[list[Any], Any]:
        with tf.GradientTape() as tape:
            losses, correct = objective.training(network(images, training=True), labels)
            loss = tf.reduce_sum(losses * shares)
            if network.losses:  # regularizers: the same on every replica, and in every part
                loss += tf.add_n(network.losses) / (replicas * accumulate)
            scaled = optimizer.scale_loss(loss)
        return tape.gradient(scaled, variables), _sums(losses, correct, shares)

    compute = tf.function(part, jit_compile=True, autograph=False) if xla else part

    def replica_step(images: Any, labels: Any, shares: Any) -> Any:
        gradients, sums = _accumulated(compute, (images, labels, shares), accumulate)
        gradients = _summed(gradients)
        norm, scale = tf.linalg.global_norm(gradients), optimizer.scale_loss(tf.constant(1.0))
        if clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm * scale, use_norm=norm)
        # The optimizer sums over the replicas as well, and they all hold the sum already.
        optimizer.apply([gradient / replicas for gradient in gradients], variables)
        # In float16 some steps overflow, and the optimizer passes over them.
        norm = tf.where(tf.math.is_finite(norm), norm / scale, 0.0) / replicas
        return tf.concat([sums, [norm]], 0)

    return _repeated(strategy, replica_step)


def evaluation_steps(strategy: Any, network: Any, objective: Objective) -> Steps:
    """Make the function that measures, without a change to the network."""

    def replica_step(images: Any, labels: Any, shares: Any) -> Any:
        losses, correct = objective.evaluation(network(images, training=False), labels)
        return tf.concat([_sums(losses, correct, shares), [0.0]], 0)

    return _repeated(strategy, replica_step)


def in_calls(steps: int, steps_per_call: int) -> Iterator[int]:
    """Split the steps of an epoch into calls: (10, 4) gives 4, 4, 2."""
    for done in range(0, steps, steps_per_call):
        yield min(steps_per_call, steps - done)


def distributed(strategy: Any, batches: Any) -> Any:
    """Batches of `models.trainer.input_pipeline`, each where its replica computes."""
    if strategy.num_replicas_in_sync == 1:
        return batches
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        # Else hosts ask each other before every batch whether all have one; steps are counted anyway.
        batches = batches.repeat()
    return strategy.distribute_datasets_from_function(lambda _context: batches)


def _sums(losses: Any, correct: Any, shares: Any) -> Any:
    real = tf.cast(shares > 0, tf.float32)
    return tf.stack([tf.reduce_sum(losses * real), tf.reduce_sum(correct * real), tf.reduce_sum(real)])


def _accumulated(compute: Callable[..., Any], batch: Sequence[Any], parts: int) -> tuple[list[Any], Any]:
    """Gradients and sums of a batch, computed part by part, each after the one before.

    Written out, as a normalization that is synchronized over replicas can't be in a loop of the graph.
    """
    size = batch[0].shape[0] // parts
    gradients, sums = compute(*(values[:size] for values in batch))
    for number in range(1, parts):
        with tf.control_dependencies([*gradients, sums]):
            part = [tf.identity(values[number * size : (number + 1) * size]) for values in batch]
            more, counted = compute(*part)
            gradients = [mine + other for mine, other in zip(gradients, more, strict=True)]
            sums += counted
    return gradients, sums


def _summed(gradients: list[Any]) -> list[Any]:
    context = tf.distribute.get_replica_context()
    return list(context.all_reduce(tf.distribute.ReduceOp.SUM, gradients))


def _repeated(strategy: Any, replica_step: Callable[[Any, Any, Any], Any]) -> Steps:
    """Make `replica_step` run on every replica, several times a call."""

    # A written-out loop rather than AutoGraph's, which TensorFlow 2.21 lacks on Python 3.13.
    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def run(iterator: Any, steps: Any, request: Any) -> tuple[Any, Any]:
        def on_replica(*batch: Any) -> Any:
            return tf.concat([replica_step(*batch), [request]], 0)

        def step(done: Any, totals: Any, waited: Any) -> tuple[Any, Any, Any]:
            batch, seconds = _timed_next(iterator, totals)
            sums = strategy.run(on_replica, args=batch)
            totals += strategy.reduce(tf.distribute.ReduceOp.SUM, sums, axis=None)
            return done + 1, totals, waited + seconds

        begin = (tf.constant(0), tf.zeros([5]), tf.zeros([], tf.float64))
        _, totals, waited = tf.while_loop(lambda done, *_: done < steps, step, begin)
        return totals, waited

    def call(iterator: Any, steps: int, request: float = 0.0) -> Totals:
        totals, waited = run(iterator, tf.constant(steps), tf.constant(request))
        return Totals._make((*totals.numpy().tolist(), float(waited)))

    return call


def _timed_next(iterator: Any, after: Any) -> tuple[Any, Any]:
    """The next batch, and the seconds that it took since `after` was there."""
    with tf.control_dependencies([after]):
        begin = tf.timestamp()
    with tf.control_dependencies([begin]):
        batch = next(iterator)
    with tf.control_dependencies(tf.nest.flatten(batch, expand_composites=True)):
        return batch, tf.timestamp() - begin
