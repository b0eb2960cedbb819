"""Published models: the file, and what it holds."""

import hashlib
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from mmengine import Config
from mmengine.hooks import EMAHook
from mmengine.runner import load_checkpoint
from published import DAY, NAME, build, make_checkpoint, weights
from torch import nn

from mmtemporal.checkpoints.publish import publish_checkpoint


def test_file(source, config, tmp_path):
    published = publish_checkpoint(source, config, tmp_path / 'out', DAY)
    (file,) = (tmp_path / 'out').iterdir()
    assert file == published.file and not published.averaged
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.name == f'{NAME}_20240229-{digest[:8]}.pth'
    # What torch.hub compares the digest with.
    assert re.search(r'-([a-f0-9]*)\.', file.name)[1] == digest[:8]

    content = torch.load(file)
    assert content.keys() == {'meta', 'state_dict'}
    meta = content['meta']
    for package in ('mmtemporal', 'mmaction2', 'mmengine', 'torch'):
        assert meta.pop(f'{package}_version')[0].isdigit()
    cfg = Config.fromstring(meta.pop('cfg'), '.py')
    assert cfg.model.to_dict() == Config.fromfile(config).model.to_dict()
    assert meta == dict(
        config=NAME,
        source='epoch_10.pth',
        epoch=10,
        iter=1500,
        dataset_meta=dict(classes=['a', 2]),
    )
    torch.testing.assert_close(content['state_dict'], weights(source), rtol=0, atol=0)
    again = publish_checkpoint(source, config, tmp_path / 'again', DAY)
    assert again.file.name == file.name


def test_the_file_loads_in_a_fresh_process(source, config, tmp_path):
    file = publish_checkpoint(source, config, tmp_path, DAY).file
    code = 'import sys, torch; print(*torch.load(sys.argv[1], weights_only=True))'
    run = subprocess.run(
        [sys.executable, '-c', code, file], capture_output=True, text=True
    )
    assert run.stdout.split() == ['meta', 'state_dict'], run.stderr


def test_the_runner_loads_it(source, config, tmp_path):
    file = publish_checkpoint(source, config, tmp_path, DAY).file
    model = build(config)
    load_checkpoint(model, str(file), strict=True)
    torch.testing.assert_close(model.state_dict(), weights(source), rtol=0, atol=0)


def test_averaged_weights(config, tmp_path):
    model = build(config)
    hook = EMAHook(momentum=0.1)
    hook.before_run(SimpleNamespace(model=model))
    average = {k: v.clone() for k, v in hook.ema_model.module.state_dict().items()}
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    checkpoint = make_checkpoint(model)
    hook.before_save_checkpoint(None, checkpoint)
    torch.save(checkpoint, tmp_path / 'ema.pth')

    published = publish_checkpoint(tmp_path / 'ema.pth', config, tmp_path, DAY)
    assert published.averaged
    assert torch.load(published.file).keys() == {'meta', 'state_dict'}
    torch.testing.assert_close(weights(published.file), average, rtol=0, atol=0)


def test_prefixes_and_constants_of_other_versions(source, config, tmp_path):
    state_dict = {f'module.{k}': v for k, v in weights(source).items()}
    state_dict['module.data_preprocessor.mean'] = torch.ones(3, 1, 1, 1)
    torch.save(dict(state_dict=state_dict), tmp_path / 'old.pth')
    file = publish_checkpoint(tmp_path / 'old.pth', config, tmp_path, DAY).file
    assert weights(file).keys() == weights(source).keys()


def test_nothing_is_replaced_without_force(source, config, tmp_path):
    file = publish_checkpoint(source, config, tmp_path, DAY).file
    file.write_text('mine')
    with pytest.raises(FileExistsError, match=f'{file.name} exists; pass --force'):
        publish_checkpoint(source, config, tmp_path, DAY)
    assert file.read_text() == 'mine'
    publish_checkpoint(source, config, tmp_path, DAY, force=True)
    assert weights(file).keys() == weights(source).keys()
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s.pop('cls_head.fc_cls.bias'), 'fc_cls.bias.* missing'),
        (lambda s: s.update(extra=torch.ones(1)), 'extra.* unexpected'),
        (
            lambda s: s.update({'cls_head.fc_cls.bias': torch.ones(400)}),
            r'fc_cls.bias \(400,\) instead of \(8,\).* mismatched',
        ),
        (
            lambda s: s['cls_head.fc_cls.bias'].fill_(float('nan')),
            'not finite numbers',
        ),
    ],
)
def test_bad_weights(source, config, tmp_path, change, message):
    checkpoint = torch.load(source)
    change(checkpoint['state_dict'])
    torch.save(checkpoint, tmp_path / 'bad.pth')
    with pytest.raises(ValueError, match=message):
        publish_checkpoint(tmp_path / 'bad.pth', config, tmp_path / 'out', DAY)
    assert not any((tmp_path / 'out').glob('*'))


def test_a_file_that_lost_something_is_noticed(source, config, tmp_path, monkeypatch):
    save = torch.save

    def save_rounded(content, file):
        state_dict = content['state_dict']
        for name, tensor in state_dict.items():
            if tensor.is_floating_point():
                state_dict[name] = tensor.half().float()
        save(content, file)

    monkeypatch.setattr(torch, 'save', save_rounded)
    with pytest.raises(ValueError, match='gives other outputs'):
        publish_checkpoint(source, config, tmp_path, DAY)
    assert not any(tmp_path.iterdir())


class Unknown:
    """Something whose class torch does not know."""


def test_strange_files(source, config, tmp_path):
    file = tmp_path / 'file.pth'
    for content, message in [
        (dict(state_dict={}, extra=Unknown()), 'add --allow-pickle'),
        ([1], 'no checkpoint of mmengine'),
        (dict(weight=torch.ones(1)), 'no checkpoint of mmengine'),
    ]:
        torch.save(content, file)
        with pytest.raises(ValueError, match=message):
            publish_checkpoint(file, config, tmp_path / 'out', DAY)
    checkpoint = torch.load(source)
    checkpoint['meta']['dataset_meta'] = dict(x=torch.ones(1))
    torch.save(checkpoint, file)
    with pytest.raises(ValueError, match='metadata .* holds a Tensor'):
        publish_checkpoint(file, config, tmp_path / 'out', DAY)
    assert not (tmp_path / 'out').exists()


def test_unknown_classes_do_not_reach_the_published_file(source, config, tmp_path):
    torch.save(dict(torch.load(source), extra=Unknown()), tmp_path / 'file.pth')
    published = publish_checkpoint(
        tmp_path / 'file.pth', config, tmp_path / 'out', DAY, allow_pickle=True
    )
    assert torch.load(published.file).keys() == {'meta', 'state_dict'}
