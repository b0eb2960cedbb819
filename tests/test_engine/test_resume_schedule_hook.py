"""A resumed training says when it does not follow the schedule of its config."""

import pytest
from tiny_runner import build_runner

from mmtemporal.engine import resume_schedule_hook


@pytest.fixture
def warned(monkeypatch):
    texts = []
    log = lambda text, logger, level: texts.append(text)  # noqa: E731
    monkeypatch.setattr(resume_schedule_hook, 'print_log', log)
    return texts


def multi_step(end, milestones=(1, 3), gamma=0.1, **kwargs):
    return dict(
        type='MultiStepLR',
        milestones=[*milestones],
        gamma=gamma,
        begin=0,
        end=end,
        by_epoch=True,
        **kwargs,
    )


def cosine(end):
    return dict(
        type='CosineAnnealingLR',
        begin=0,
        end=end,
        by_epoch=True,
        convert_to_iter_based=True,
    )


def train(work_dir, epochs, schedule, **kwargs):
    runner = build_runner(work_dir, epochs, param_scheduler=schedule, **kwargs)
    runner.train()
    rates = runner.message_hub.log_scalars['train/lr'].data[0][1::2]
    return [float(f'{rate:.2g}') for rate in rates]


def test_a_longer_schedule_is_not_followed_and_named(tmp_path, warned):
    train(tmp_path, 2, [multi_step(end=2)])
    assert warned == []
    rates = train(tmp_path, 5, [multi_step(end=5)], resume=True)
    # What mmengine does, and what the text says.
    assert rates == [0.01, 0.001, 0.001, 0.001, 0.001]
    (text,) = warned
    assert 'param_scheduler[0]: end=2, 5 in the config' in text
    assert 'milestones' not in text and 'last_step' not in text
    assert 'load_from' in text and 'resume=False' in text


@pytest.mark.parametrize(
    ('first', 'then', 'named'),
    [
        ([multi_step(4)], [multi_step(4)], None),
        (
            [multi_step(4)],
            [multi_step(4, milestones=(2, 3))],
            'milestones=[1, 3], [2, 3] in the config',
        ),
        ([multi_step(4)], [multi_step(4, gamma=0.5)], 'gamma=0.1, 0.5'),
        ([cosine(2)], [cosine(4)], 'T_max='),
        (
            [multi_step(4)],
            [multi_step(4), multi_step(2)],
            '1 schedulers, 2 in the config',
        ),
    ],
)
def test_what_is_named(tmp_path, warned, first, then, named):
    train(tmp_path, 2, first)
    train(tmp_path, 3, then, resume=True)
    assert len(warned) == (named is not None)
    assert named is None or named in warned[0]


def test_the_way_out(tmp_path, warned):
    """The page on resuming has it: the rest is a training of its own."""
    train(tmp_path / 'first', 2, [multi_step(end=2)])
    rates = train(
        tmp_path / 'rest',
        3,
        [multi_step(end=3, milestones=(1,))],
        load_from=str(tmp_path / 'first/epoch_2.pth'),
    )
    assert rates == [0.01, 0.001, 0.001]
    assert warned == []


@pytest.mark.parametrize('built', [None, [dict(type='MultiStepLR')], dict(a=[])])
def test_what_is_no_list_of_schedulers_is_left_alone(warned, built):
    class Resumed:
        _resume = True
        param_schedulers = built

    hook = resume_schedule_hook.ResumeScheduleHook()
    hook.after_load_checkpoint(Resumed, dict(param_schedulers=[dict(end=3)]))
    hook.after_load_checkpoint(Resumed, {})
    assert not warned
