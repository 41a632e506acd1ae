from benchmarks.serving_fuzz import Round, fuzz, report, rise, targets
from benchmarks.serving_under_attack import watched


def test_a_server_is_sent_broken_images_and_lives(tiny_bundle, tmp_path):
    with watched(str(tiny_bundle), tmp_path) as server:
        rounds = list(fuzz(server, range(60)))
        assert [answered.case.number for one in rounds for answered in one.answers] == list(range(60))
        assert server.lives
        assert all(target.met for target in targets(rounds, lived=True)[:2])
        assert "| JPEG |" in report("tiny", rounds, 0, lived=True, noise=0, seconds=1)


def test_a_server_that_ends_is_noticed(tiny_bundle, tmp_path):
    with watched(str(tiny_bundle), tmp_path) as server:
        server.process.kill()
        server.process.wait()
        rounds = list(fuzz(server, range(200)))
        assert len(rounds) == 1
        assert not any(target.met for target in targets(rounds, server.lives)[:2])


def test_memory_that_grows_is_noticed():
    assert rise([Round([], 100)] * 50 + [Round([], 200)] * 50) == 0
    assert rise([Round([], 100 + number) for number in range(100)]) > 0.1
