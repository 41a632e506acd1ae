from benchmarks.mutations import seeds
from benchmarks.serving_process import Question
from benchmarks.serving_soak import report, soak, targets
from benchmarks.serving_turmoil import Twins, rude_clients
from benchmarks.serving_under_attack import watched


def test_steady_clients_are_answered_while_others_are_killed_and_models_replaced(tiny_bundle, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(Question.of(seeds()[0][1], {}).body)
    twins = Twins(tiny_bundle, tmp_path)
    with (
        watched(str(twins.served), tmp_path) as server,
        rude_clients(server.port, body, tmp_path, seed=1) as rude,
    ):
        parts = list(soak(server, twins, body, 5))
    outcome = targets(parts, server.complaints())
    assert all(target.met for target in outcome[:3]), outcome
    assert [part.reload for part in parts] == ["reloaded", "reloaded"]
    assert rude.killed
    assert rude.broken
    assert "| 2 |" in report("tiny", parts, rude, outcome)
