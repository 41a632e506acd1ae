from benchmarks import images, train_loop


def test_the_loop_is_measured_whole(tmp_path):
    section = train_loop.run(images.small(None), steps=1, measured=1, repeats=1, work=tmp_path)
    assert len(section.targets) == 4
    assert all(target.measured > 0 for target in section.targets)
    assert all(name in section.markdown() for name in (train_loop.TRAINER, train_loop.FIT, train_loop.STEP))
