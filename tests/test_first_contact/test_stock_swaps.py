"""The pages' swap on configs of MMAction2's zoo runs, or one error says why not."""

import pytest
import stock_zoo as zoo
from network_names import OF_FRAMES as NETWORKS_OF_FRAMES
from network_names import head_of
from selection import slow_but
from test_stock_zoo import add_a_layer, frames_of

OF_FRAMES = (
    *('tsn', 'tsm', 'tsm dense', 'tsm non-local', 'tsm mobilenet', 'trn', 'tanet'),
    *('tin', 'c2d of frames'),
)
OF_CLIPS = (
    *('c2d', 'c3d', 'csn', 'i3d', 'r2plus1d', 'slowfast', 'slowonly', 'x3d', 'mvit'),
    *('swin', 'timesformer', 'uniformer', 'uniformerv2', 'videomae'),
)


def swap_lines(path, backbone, frames, classes):
    return zoo.replace(
        zoo.page_lines('docs/swap_a_backbone.md'),
        ('your_tsn_config.py', str(path)),
        ('mmtemporal.TANet', f'mmtemporal.{backbone}'),
        ('mmtemporal.TAMHead', f'mmtemporal.{head_of(backbone)}'),
        ('depth=50', 'depth=18'),
        ('in_channels=2048', 'in_channels=512'),
        ('num_segments=8', f'num_segments={frames}'),
        ('num_classes=400', f'num_classes={classes}'),
    )


def swap(name, backbone, folder):
    path = zoo.path_of(name)
    # Some mix labels of so many classes.
    classes = zoo.Config.fromfile(path).model.cls_head.num_classes
    lines = swap_lines(path, backbone, frames_of(name), classes)
    return zoo.make_small(zoo.read_config(lines, folder))


def run(cfg, videos):
    model = zoo.build(cfg)
    zoo.train(model, cfg, videos)
    for split in ('val', 'test'):
        zoo.score(model, cfg, videos, split)


def take_clips(cfg, name):
    """Test on views of as many frames as there are in training."""
    if name == 'tsn':
        sampler = next(s for s in cfg.test_pipeline if 'clip_len' in s)
        sampler['num_clips'] = frames_of(name)


@pytest.mark.parametrize('name', ['tsn', 'tsm'])
def test_the_six_lines_of_the_readme(name, videos, tmp_path):
    """They keep the head's options, whichever stock head it was."""
    lines = zoo.page_lines('README.md')
    assert len(lines.splitlines()) == 6
    lines = zoo.replace(lines, ('your_tsn_config.py', str(zoo.path_of(name))))
    cfg = zoo.make_small(zoo.read_config(lines, tmp_path))
    assert cfg.model.backbone.type == 'mmtemporal.TANet'
    cfg.model.backbone.depth, cfg.model.cls_head.in_channels = 18, 512
    take_clips(cfg, name)
    run(cfg, videos)


@pytest.mark.parametrize('backbone', [*NETWORKS_OF_FRAMES, 'TAda2D'])
@pytest.mark.parametrize('name', slow_but({'tsn', 'tsm'}, OF_FRAMES))
def test_a_network_for_frames(name, backbone, videos, tmp_path):
    cfg = swap(name, backbone, tmp_path)
    take_clips(cfg, name)
    run(cfg, videos)


@pytest.mark.parametrize('name', slow_but({'tsn'}, OF_FRAMES))
def test_tdn_says_that_it_takes_windows(name, videos, tmp_path):
    cfg = swap(name, 'TDN', tmp_path)
    frames = frames_of(name)
    model = zoo.build(cfg)
    message = f'num_segments={frames} windows of frames_per_segment=5 frames; set clip_'
    with pytest.raises(ValueError, match=message):
        zoo.train(model, cfg, videos)
    take_clips(cfg, name)
    for split in ('train', 'val', 'test'):
        for step in cfg[f'{split}_pipeline']:
            if 'clip_len' in step:
                step.update(clip_len=5, num_clips=frames)
    run(cfg, videos)


@pytest.mark.parametrize('name', slow_but({'i3d'}, OF_CLIPS))
def test_tada2d_takes_clips_too(name, videos, tmp_path):
    run(swap(name, 'TAda2D', tmp_path), videos)


@pytest.mark.parametrize('backbone', NETWORKS_OF_FRAMES)
@pytest.mark.parametrize('name', slow_but({'i3d'}, OF_CLIPS))
def test_networks_for_frames_refuse_clips(name, backbone, videos, tmp_path):
    cfg = swap(name, backbone, tmp_path)
    model = zoo.build(cfg)
    with pytest.raises(ValueError, match="expected frames.*type='Recognizer2D'"):
        zoo.train(model, cfg, videos)


OTHERS = (
    'recognition_audio/resnet/tsn_r18_8xb320-64x1x1-100e_kinetics400-audio-feature',
    'skeleton/stgcn/stgcn_8xb16-joint-u100-80e_ntu60-xsub-keypoint-2d',
)
NO_VIDEOS = 'does not give its backbone videos.* expected a config of a Recognizer2D'


@pytest.mark.parametrize('path', OTHERS)
def test_configs_without_videos_are_refused(path, tmp_path):
    path = zoo.ZOO / f'{path}.py'
    lines = swap_lines(path, 'TANet', frames=8, classes=9)
    with pytest.raises(ValueError, match=NO_VIDEOS):
        zoo.build(zoo.read_config(lines, tmp_path))
    lines = add_a_layer(path, 'TAM', frames=8)
    cfg = zoo.read_config(lines, tmp_path)
    wraps = 'recognition_audio' in str(path)  # the network is an image ResNet
    message = NO_VIDEOS if wraps else 'a STGCN, takes neither the frames nor the clip'
    with pytest.raises(ValueError, match=message):
        zoo.build(cfg)


def test_images_in_turn_with_clips_are_refused(tmp_path):
    name = 'omnisource/slowonly_r50_8xb16-8x8x1-256e_imagenet-kinetics400-rgb'
    path = zoo.ZOO / 'recognition' / f'{name}.py'
    lines = add_a_layer(path, 'TAM', frames=8)
    with pytest.raises(ValueError, match=f'RecognizerOmni, which {NO_VIDEOS}'):
        zoo.build(zoo.read_config(lines, tmp_path))
