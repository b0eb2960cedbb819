"""The command line: which figures it writes, and what it refuses."""

import runpy
from types import SimpleNamespace

import cv2
import pytest
import torch
from decord import VideoReader
from matplotlib.image import imread
from mmaction.apis import init_recognizer
from mmaction.registry import MODELS
from mmengine import Config
from mmengine.registry import DefaultScope
from parity import CONFIGS
from selection import slow_but
from stock_config import METHODS

from mmtemporal.visualization.clip import _rows_of_a_view

TOOL = CONFIGS.parent / 'tools' / 'visualize.py'
main = runpy.run_path(str(TOOL))['main']
FIGURES = {
    'TANet': {'kernels', 'importance', 'kernel_histograms', 'mixing', 'grad_cam'},
    'TIN': {'interlacing', 'mixing', 'grad_cam'},
    'TDN': {'differences', 'gates', 'mixing', 'grad_cam'},
    'TAda2D': {'calibrations', 'channels', 'mixing', 'grad_cam'},
    'TAdaConvNeXtV2': {'calibrations', 'channels', 'grad_cam'},
    'TAdaFormer': {'calibrations', 'channels', 'mixing', 'grad_cam'},
}
# Where the default gives maps of one pixel for frames as small as these.
CAM_LAYERS = {'TAdaConvNeXtV2': ('--cam-layer', 'backbone.stages.1')}


# One column of matrices is enough where the figures are not looked at.
FEW = ('--layers', 'layer4.1')


def visualize(network, out, *videos, options=()):
    main(
        [
            *(str(network.config), str(network.checkpoint)),
            *('--video', *map(str, videos), '--out', str(out), *map(str, options)),
        ]
    )


def change(network, **changes):
    return SimpleNamespace(**{**vars(network), **changes})


def refuse(match, network, out, *videos, options=()):
    """Assert that there is one message, and that no file changes."""
    before = [(path, path.stat().st_mtime_ns) for path in sorted(out.glob('*'))]
    with pytest.raises(SystemExit, match=match) as error:
        visualize(network, out, *videos, options=options)
    assert str(error.value).startswith('error: ')
    assert '\n' not in str(error.value)
    after = [(path, path.stat().st_mtime_ns) for path in sorted(out.glob('*'))]
    assert after == before


@pytest.mark.parametrize('name', slow_but(['TANet', 'TDN'], METHODS))
def test_all_figures_of_a_family(name, networks, videos, tmp_path, capsys):
    network, out = networks(name), tmp_path / 'new' / 'folder'
    visualize(network, out, *videos[:2], options=CAM_LAYERS.get(name, ()))
    expected = {
        f'{figure}.{kind}' for figure in FIGURES[name] for kind in ('png', 'pdf')
    }
    assert {path.name for path in out.iterdir()} == expected
    assert capsys.readouterr().out.count('wrote ') == len(expected)
    for path in out.glob('*.png'):
        image = imread(path)
        assert image[..., :3].std() > 0.05  # not blank
        assert 300 < image.shape[1] < 3000, path
    for path in out.glob('*.pdf'):
        assert path.read_bytes().startswith(b'%PDF')


def test_existing_files(networks, videos, tmp_path):
    network = networks('TIN')
    (tmp_path / 'mixing.pdf').write_text('mine')
    match = 'mixing.pdf exists; add --force'
    refuse(match, network, tmp_path, videos[0], options=FEW)
    visualize(network, tmp_path, videos[0], options=['--force', *FEW])
    assert (tmp_path / 'mixing.pdf').read_bytes().startswith(b'%PDF')
    assert (tmp_path / 'interlacing.png').exists()


def test_what_cannot_be_drawn_is_said(networks, videos, tmp_path, capsys):
    visualize(networks('TAdaConvNeXtV2'), tmp_path, videos[0])
    out = capsys.readouterr().out
    assert 'not drawn: Grad-CAM needs feature maps' in out and 'have one pixel' in out
    assert not (tmp_path / 'grad_cam.png').exists()
    assert (tmp_path / 'channels.png').exists()


def test_several_views_and_names_of_classes(networks, videos, tmp_path, capsys):
    network = networks('TIN')
    cfg = Config.fromfile(network.config)
    for step in cfg.test_pipeline:
        if step.type == 'SampleFrames':
            step.twice_sample = True
    cfg.dump(tmp_path / 'twice.py')
    twice = change(network, config=tmp_path / 'twice.py')
    names = tmp_path / 'names.txt'
    names.write_text('\n'.join('abcdefgh'))
    visualize(twice, tmp_path, videos[0], options=['--label-map', names, *FEW])
    said = capsys.readouterr().out
    assert f'{videos[0]}: 2 views in testing, drawn is the first' in said
    names.write_text('a\nb')
    options = ['--label-map', names, '--force']
    match = 'names.txt has 2 lines, but cls_head.num_classes=8'
    refuse(match, network, tmp_path, videos[0], options=options)


def test_folders_of_frames(networks, videos, tmp_path):
    frames = VideoReader(str(videos[0]))
    folder = tmp_path / 'frames'
    folder.mkdir()
    for i in range(len(frames)):
        cv2.imwrite(str(folder / f'img_{i + 1:05}.jpg'), frames[i].asnumpy())
    visualize(networks('TIN'), tmp_path, videos[0], folder, options=FEW)
    assert (tmp_path / 'mixing.png').exists()
    (folder / 'img_00002.jpg').unlink()
    match = 'frames has .* and no img_00002.jpg'
    refuse(match, networks('TIN'), tmp_path / 'out', folder, options=FEW)


def test_options_for_one_of_two_pipelines(networks, videos, tmp_path):
    network = networks('TIN')
    option = 'test_pipeline.1.twice_sample=True'
    match = 'test_pipeline, .* test_dataloader.dataset.pipeline, which test.py reads'
    refuse(match, network, tmp_path, videos[0], options=['--cfg-options', option])


def test_corrupt_videos(networks, tmp_path, videos):
    network, out = networks('TIN'), tmp_path / 'out'
    refuse('missing.mp4 is no file', network, out, tmp_path / 'missing.mp4')
    broken = tmp_path / 'broken.mp4'
    broken.write_bytes(videos[0].read_bytes()[:700])
    refuse(
        'cannot read .*broken.mp4 by the test_pipeline', network, out, videos[0], broken
    )


def test_bad_checkpoints_and_configs(networks, tmp_path, videos):
    tin, out = networks('TIN'), tmp_path / 'out'

    def refuse_files(match, **changes):
        refuse(match, change(tin, **changes), out, videos[0])

    refuse_files('missing.pth is no file', checkpoint=tmp_path / 'missing.pth')
    (tmp_path / 'noise.pth').write_bytes(b'noise')
    refuse_files('damaged or no checkpoint', checkpoint=tmp_path / 'noise.pth')
    refuse_files('does not fit the model', checkpoint=networks('TANet').checkpoint)
    refuse_files('cannot build the model', config=tmp_path / 'missing.py')


def test_bad_names_of_layers_and_devices(networks, tmp_path, videos):
    network, out = networks('TIN'), tmp_path / 'out'
    for match, options in (
        (
            'no layer layer9 can be drawn, there are: backbone.layer1.0',
            ['--layers', 'layer9'],
        ),
        ('the model has no layer backbone.layer9', ['--cam-layer', 'backbone.layer9']),
        ('maps, which cls_head does not give', ['--cam-layer', 'cls_head']),
        ('--device nonsense', ['--device', 'nonsense']),
    ):
        refuse(match, network, out, videos[0], options=[*FEW, *options])


def test_network_without_temporal_layers(tmp_path, videos):
    tsn = CONFIGS / 'recognition/tsn/tsn_scratch-r18_1xb8-1x1x8-5e_motionclips-rgb.py'
    cfg = Config.fromfile(tsn)
    model = init_recognizer(cfg, device='cpu')
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'tsn.pth')
    network = SimpleNamespace(config=tsn, checkpoint=tmp_path / 'tsn.pth')
    refuse('no layer that can be drawn', network, tmp_path / 'out', videos[0])
    (tmp_path / 'tsn.pth').unlink()


def test_a_view_of_a_stock_backbone_with_convolutions_of_this_package():
    conv_cfg = dict(type='mmtemporal.TAdaConv2d', num_segments=4)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(
            dict(
                type='Recognizer2D',
                backbone=dict(type='ResNet', depth=18, conv_cfg=conv_cfg),
            )
        )
    model.cfg = Config()
    # Three crops are three views.
    assert _rows_of_a_view(model, torch.zeros(12, 3, 8, 8)) == 4
    with DefaultScope.overwrite_default_scope('mmaction'):
        model.backbone = MODELS.build(dict(type='ResNet', depth=18))
    assert _rows_of_a_view(model, torch.zeros(12, 3, 8, 8)) == 12
    sampler = dict(type='SampleFrames', clip_len=1, num_clips=6)
    model.cfg = Config(dict(test_pipeline=[sampler]))
    assert _rows_of_a_view(model, torch.zeros(12, 3, 8, 8)) == 6
