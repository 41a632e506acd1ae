"""A run from its devices to its bundle."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from contracts import vertex_environment
from contracts.bundle import ModelBundle
from contracts.console import log
from contracts.dataset import SPLITS, ShardIndex
from contracts.errors import InputError, StageError
from contracts.run_name import run_name
from models.trainer.agreement import check_agreed, wait_for_all
from models.trainer.architecture import Architecture, Design
from models.trainer.checkpoints import Checkpoints, Progress, restore
from models.trainer.cluster import Cluster
from models.trainer.config import HEAD_ONLY, Execution, TrainConfig
from models.trainer.devices import strategy_for
from models.trainer.fit import Fit
from models.trainer.input_pipeline import Batches, Pixels, SplitShards
from models.trainer.outcome import Outcome, readable
from models.trainer.phases import Data, Phases, first_trained, plan, unfreeze
from models.trainer.precision import policy
from models.trainer.profiling import Profile
from models.trainer.run_facts import RunFacts
from models.trainer.run_folder import Run, RunFolder, claim, open_run_folder
from models.trainer.shards import cache_folder, damaged, readable_shards
from models.trainer.tracking import TensorBoard, Tracker
from models.trainer.trial_metrics import TrialMetrics
from models.trainer.wandb_run import WandbRun
from models.trainer.wandb_run import start as start_wandb
from models.trainer.weights import load_weights


class Session:
    """A run in this process. Making it looks at everything that was given, and writes nothing."""

    def __init__(
        self,
        config: TrainConfig,
        execution: Execution,
        architecture: Architecture,
        design: Design,
        index: ShardIndex,
        image_size: int,
        input_uri: str,
        run: Run,
        cluster: Cluster,
        devices: Sequence[str] | None = None,
    ) -> None:
        self._config, self._execution, self._run = config, execution, run
        self._architecture, self._design = architecture, design
        self._input_uri, self._cluster = input_uri, cluster
        self._strategy = strategy_for(execution, cluster, devices)
        replicas = self._strategy.num_replicas_in_sync
        batches = Batches(config.batch_size, replicas, config.accumulate, cluster.hosts, cluster.host)
        shards = readable_shards(input_uri, index, execution.cache)
        counts = {split: tuple(shard.examples for shard in index.shards[split]) for split in SPLITS}
        self._data = Data(
            index,
            {split: SplitShards(tuple(shards[split]), counts[split]) for split in SPLITS},
            Pixels(image_size, index.image_size, len(index.class_names)),
            batches,
            cache_folder(execution.cache),
        )
        keras.utils.set_random_seed(config.seed)
        with self._strategy.scope(), policy(config.precision):
            self._network = self._build()
            load_weights(self._network, config.weights, design, architecture.name)
        self._synchronize()
        self._check_plan()
        log(
            "training",
            global_batch=config.batch_size,
            replica_batch=batches.of_replica,
            replicas=replicas,
            hosts=cluster.hosts,
            parts=config.accumulate,
            image_size=image_size,
        )

    def run(self, output_uri: str, command: str) -> ModelBundle | None:
        """Train to the end, judge, and write the bundle.

        Args:
            output_uri: the run's folder.
            command: what to type to train it again.

        Returns:
            The bundle; None on a host that isn't the chief, and with `--no-export`.
        """
        self._check_settings()
        if not self._cluster.chief:
            wait_for_all(self._strategy, self._cluster)
            self._run = _chiefs_run(output_uri)
            folder = RunFolder(output_uri, self._data.cache)
            self._fit(folder, [])
            return None
        with open_run_folder(output_uri) as folder:
            claim(output_uri, self._run)
            wait_for_all(self._strategy, self._cluster)
            with self._trackers(folder, run_name(output_uri)) as trackers:
                return self._run_in(folder, trackers, command)

    def _run_in(self, folder: RunFolder, trackers: Sequence[Tracker], command: str) -> ModelBundle | None:
        reached = self._fit(folder, trackers)
        folder.publish(reached.history)  # a run killed behind its last epoch may not have
        if not self._execution.export:
            log("trained; the same command without --no-export judges and exports it", run=folder.uri)
            return None
        network = self._best(folder)
        shards = {split: found.paths for split, found in self._data.splits.items()}
        facts = self._facts(folder.uri, reached, trackers, command)
        looked_through = self._execution.label_error_images
        outcome = Outcome(facts, folder, shards, self._design.features, looked_through)
        answered = outcome.answer(network)
        judgement = outcome.judge(answered)
        test = judgement.predictions
        for tracker in trackers:
            tracker.result(judgement.metrics.headline(), test.labels.tolist(), test.predicted.tolist())
        label_errors = outcome.find_label_errors(network, answered)
        with self._with_room(folder):
            bundle = outcome.export(network, answered, judgement, label_errors)
        for tracker in trackers:
            tracker.bundle(folder.uri)
        folder.publish(reached.history)
        return bundle

    def _facts(
        self, output_uri: str, reached: Progress, trackers: Sequence[Tracker], command: str
    ) -> RunFacts:
        return RunFacts(
            name=run_name(output_uri),
            architecture=self._architecture.name,
            index=self._data.index,
            image_size=self._data.pixels.size,
            config=self._run.config
            | self._execution.model_dump(mode="json")
            | vertex_environment.provenance(),
            command=command,
            output=output_uri,
            history=reached.history,
            class_info=self._execution.class_info,
            wandb_run=self._run.id if any(isinstance(tracker, WandbRun) for tracker in trackers) else None,
        )

    def _build(self) -> keras.Model:
        pixels = self._data.pixels
        return self._design.build(pixels.classes, pixels.size, self._config.dropout)

    def _check_settings(self) -> None:
        """Go on when all hosts are here to train the same."""
        run = self._run.model_dump(mode="json", exclude={"id"})
        execution = self._execution.model_dump(mode="json", include={"all_reduce", "steps_per_call", "xla"})
        wanted = json.dumps(run | execution, sort_keys=True)
        check_agreed(self._strategy, self._cluster, "the settings or the data", wanted)

    def _synchronize(self) -> None:
        """Let batch normalizations see the whole batch, so that several replicas compute what one would."""
        if self._strategy.num_replicas_in_sync == 1:
            return
        for layer in self._network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                if self._execution.xla and self._config.from_scratch:
                    raise InputError(
                        f"--xla can't compile {self._network.name} for several devices: its batch "
                        "normalizations add up over them; leave --xla out, or use one device"
                    )
                layer.synchronized = True

    def _check_plan(self) -> None:
        if not plan(self._config, self._design):
            raise InputError("--head-epochs 0 with --fine-tune-from none leaves nothing to train: change one")
        start = first_trained(self._config, self._design)
        if start != HEAD_ONLY:
            unfreeze(self._network, start)

    @contextmanager
    def _trackers(self, folder: RunFolder, name: str) -> Iterator[list[Tracker]]:
        trackers: list[Tracker] = [TensorBoard(folder.logs)]
        if vertex_environment.trial():
            trackers.append(TrialMetrics())
        wandb_run = start_wandb(
            self._run, name, self._execution, folder.local, index=self._data.index, data_uri=self._input_uri
        )
        if wandb_run:
            trackers.append(wandb_run)
            log("W&B", run=self._run.id, online=wandb_run.online, folder=wandb_run.folder)
        failed = True
        try:
            yield trackers
            failed = False
        finally:
            for tracker in trackers:
                tracker.close(failed=failed)

    def _fit(self, folder: RunFolder, trackers: Sequence[Tracker]) -> Progress:
        checkpoints = Checkpoints(folder.checkpoints, self._run.id, self._execution.keep_checkpoints)
        reached, optimizer_values = self._reached(checkpoints)
        for tracker in trackers:
            tracker.begin(reached.history)

        def after_epoch(reached: Progress) -> None:
            row = reached.history[-1]
            for tracker in trackers:
                tracker.epoch(row)
            if self._cluster.chief:
                folder.publish(reached.history)
                log("epoch", **readable(row))

        phases = Phases(self._network, self._design, self._config, self._data, self._strategy)
        profile = Profile(folder.logs, self._execution.profile if self._cluster.chief else 0)
        fit = Fit(
            self._strategy,
            self._network,
            phases,
            self._config,
            self._execution,
            checkpoints,
            writes=self._cluster.chief,
            profile=profile,
            after_epoch=after_epoch,
        )
        with self._explained():
            try:
                return fit.run(reached, optimizer_values, plan(self._config, self._design))
            finally:
                profile.close()

    def _reached(self, checkpoints: Checkpoints) -> tuple[Progress, Sequence[Any]]:
        """How far the run is; the network is put where it was then."""
        reached, optimizer_values = Progress(run=self._run.id), list[Any]()
        if found := checkpoints.load_state():
            reached, optimizer_values = found.progress, list(found.optimizer)
            restore(self._network, found.network)
            log("going on from the last state", epochs=len(reached.history), step=reached.step)
        where = f"step {reached.steps}"
        check_agreed(self._strategy, self._cluster, f"how far the run is (here: {where})", where)
        return reached, optimizer_values

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in a line what TensorFlow's errors mean here."""
        shards = {split: self._data.splits[split].paths for split in SPLITS}
        try:
            yield
        except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
            if found := damaged(shards, self._data.index):
                raise found from error
            raise
        except tf.errors.ResourceExhaustedError as error:
            raise StageError(
                f"{self._data.batches.of_replica} images of {self._data.pixels.size} pixels don't fit into a "
                "device's memory: lower --batch-size, raise --accumulate, or take --precision bfloat16"
            ) from error

    @contextmanager
    def _with_room(self, folder: RunFolder) -> Iterator[None]:
        """Say in a line that the bundle can't be written: TensorFlow's files have errors of their own."""
        try:
            yield
        except (OSError, tf.errors.ResourceExhaustedError, tf.errors.UnknownError) as error:
            raise StageError(
                f"the bundle can't be written to {folder.uri} ({str(error).splitlines()[0][:200]}): make "
                "room, and the same command exports it again"
            ) from error

    def _best(self, folder: RunFolder) -> keras.Model:
        """The best weights in a network of their own, in float32 and on one device: what is exported."""
        best = Checkpoints(folder.checkpoints, self._run.id).load_best()
        network = self._build()
        restore(network, best.network)
        return network


def _chiefs_run(output_uri: str) -> Run:
    """The run that the chief has just claimed."""
    run = Run.read_if_there(output_uri)
    if run is None:
        raise StageError(
            f"{output_uri} holds no {Run.file_name}, which the chief has written to its --output: give every "
            "host the same one, in a place that all of them share"
        )
    return run
