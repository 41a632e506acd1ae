"""The end of a study: the best trial is judged and exported, and what was found is written down."""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from contracts import storage
from contracts.console import log
from contracts.dataset import ShardIndex
from contracts.errors import StageError
from contracts.search_parameter import Value
from models.trainer.reporting.naming import readable
from models.trainer.tuning.asked import Asked
from models.trainer.tuning.cores import Slots
from models.trainer.tuning.folder import StudyFolder
from models.trainer.tuning.places import place_of, standing
from models.trainer.tuning.process import STOPPED, TrialProcess
from models.trainer.tuning.record import State, Study, TrialRecord
from models.trainer.tuning.search import training_command, trial_environment

if TYPE_CHECKING:
    import optuna

CHECKPOINTS = "checkpoints"


def records(study: "optuna.Study") -> tuple[TrialRecord, ...]:
    """What is known of each trial that has ended."""
    from optuna.trial import TrialState

    states: dict[TrialState, State] = {
        TrialState.COMPLETE: "complete",
        TrialState.PRUNED: "pruned",
        TrialState.FAIL: "failed",
    }
    return tuple(
        TrialRecord(
            number=place_of(trial),
            state=states[trial.state],
            value=trial.user_attrs.get("value"),
            values=tuple(value for _, value in sorted(trial.intermediate_values.items())),
            reason=trial.user_attrs.get("reason"),
            **{key: trial.user_attrs[key] for key in ("name", "architecture", "parameters", "seconds")},
        )
        for trial in standing(study)
        if trial.state in states
    )


def best_of(study: "optuna.Study") -> "optuna.trial.FrozenTrial":
    """The best trial.

    Raises:
        StageError: none came to its end.
    """
    try:
        return study.best_trial
    except ValueError:
        reasons = [trial.reason for trial in records(study) if trial.reason]
        raise StageError(
            f"no trial came to its end; the last one's reason: {reasons[-1] if reasons else 'none'}; put "
            "that right, and the same command tries them again"
        ) from None


def importance(study: "optuna.Study") -> dict[str, float]:
    """Each parameter's share of what the values differ by, largest first; empty where too few tell."""
    import optuna

    whole = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len({trial.value for trial in whole}) < 4:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def conclude(
    study: "optuna.Study",
    asked: Asked,
    first: Mapping[str, Value],
    index: ShardIndex,
    slots: Slots,
    folder: StudyFolder,
) -> Study:
    """Export the best trial, write the report, tidy up, and write `study.json`.

    Raises:
        StageError: no trial came to its end, or the best can't be exported.
    """
    trials = records(study)
    number = place_of(best_of(study))
    best = next(trial for trial in trials if trial.number == number)
    _export(best, asked, slots, folder)
    record = Study(
        name=asked.name,
        dataset=index.dataset,
        dataset_digest=index.manifest_digest,
        created_at=datetime.now(UTC),
        space=asked.space.to_job(),
        model=asked.training.model,
        arguments=asked.training.arguments,
        pruner=asked.pruner,
        seed=asked.seed,
        command=asked.command(),
        first=dict(first),
        trials=trials,
        best=best.name,
        importance=importance(study),
    )
    # Only now: matplotlib takes a moment, and --help doesn't wait for it.
    from models.trainer.reporting.study_report import write_study_report

    page = write_study_report(folder.uri, record, index.examples("val"))
    _tidy(folder.uri, record)
    folder.publish()
    record.write(folder.uri)
    _tell(record, folder.uri, page)
    return record


def _export(best: TrialRecord, asked: Asked, slots: Slots, folder: StudyFolder) -> None:
    """Have the best trial judged on the test split and exported: its command without --no-export."""
    log("the best trial is judged and exported", trial=best.name)
    command = training_command(asked, best.parameters, storage.join(folder.uri, best.name), slots.gpu)
    process = TrialProcess(command, folder.log(best.name), trial_environment(asked))
    try:
        process.wait_to_end()
    finally:
        process.ask_to_stop()
        process.wait()
    if process.exit_code in STOPPED:
        raise StageError("the best trial was told to stop while it was exported; the same command goes on")
    if process.exit_code:
        raise StageError(f"the best trial can't be exported: {process.reason()}; see {folder.log(best.name)}")


def _tidy(folder: str, study: Study) -> None:
    """Remove the checkpoints of all trials but the best."""
    for trial in study.trials:
        if trial.name == study.best:
            continue
        checkpoints = storage.join(folder, trial.name, CHECKPOINTS)
        if not storage.is_remote(folder):
            shutil.rmtree(checkpoints, ignore_errors=True)
            continue
        with suppress(storage.NotFoundError):
            for file in storage.list_files(checkpoints):
                storage.delete(storage.join(checkpoints, file.name))


def _tell(study: Study, folder: str, page: str) -> None:
    best, default = study.best_trial, study.default_trial
    gain: dict[str, float] = {}
    if default is not None and default.value is not None and best.value is not None:
        gain = {"default": round(default.value, 4), "gain": round(best.value - default.value, 4)}
    value = None if best.value is None else round(best.value, 4)
    parameters = {name: readable(setting) for name, setting in best.parameters.items()}
    bundle = storage.join(folder, best.name)
    log("tuned", bundle=bundle, report=page, value=value, **gain, **parameters)
