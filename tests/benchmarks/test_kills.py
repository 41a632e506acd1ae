from benchmarks.kills import run


def test_killed_and_run_again_both_stages_leave_the_same_bytes(tmp_path):
    kills = list(run(6, 1, tmp_path))
    assert {kill.stage for kill in kills} == {"process", "build_records"}
    assert all(kill.same for kill in kills), kills
