"""What is done with a trained model: inference, publishing, Grad-CAM."""

import re

import pytest
import torch
import torch.nn.functional as F
from mmaction.apis import inference_recognizer, init_recognizer
from mmaction.apis.inferencers import MMAction2Inferencer
from mmaction.utils import GradCAM
from mmengine import load
from stock_config import (
    FRAME_METHODS,
    NUM_CLASSES,
    T,
    build_small,
    make_data,
    run_tool,
)


@pytest.fixture
def dumped(tested):
    """The scores that ``test.py`` wrote, in the order of the files."""
    return torch.stack([result['pred_score'] for result in load(tested.dump)])


def infer(trained, checkpoint, data_root):
    model = init_recognizer(trained.config, checkpoint, device='cpu')
    files = sorted(map(str, data_root.glob('val/*.mp4')))
    results = [inference_recognizer(model, file) for file in files]
    return results, torch.stack([result.pred_score for result in results])


def test_inference_recognizer(trained, dumped, data_root):
    results, scores = infer(trained, trained.checkpoint, data_root)
    torch.testing.assert_close(scores, dumped)
    labels = torch.cat([result.pred_label for result in results])
    assert torch.equal(labels, scores.argmax(1))


def test_inferencer(trained, dumped, clip):
    inferencer = MMAction2Inferencer(trained.config, trained.checkpoint, device='cpu')
    (prediction,) = inferencer(clip)['predictions']
    assert prediction['rec_labels'] == [[dumped[0].argmax().item()]]
    torch.testing.assert_close(torch.tensor(prediction['rec_scores'][0]), dumped[0])


@pytest.mark.slow
def test_publish_model(trained, dumped, data_root, work_dir):
    work_dir.mkdir()
    run_tool('publish_model', trained.checkpoint, work_dir / 'model.pth')
    (published,) = work_dir.iterdir()
    assert re.fullmatch(r'model_\d{8}-[0-9a-f]{8}\.pth', published.name)
    assert torch.load(published).keys() == {'meta', 'state_dict'}
    _, scores = infer(trained, str(published), data_root)
    torch.testing.assert_close(scores, dumped)


@pytest.mark.parametrize('name', FRAME_METHODS)
def test_grad_cam(name, data_root):
    model = build_small(name, data_root)
    data = make_data(videos=1)
    side = 96
    data['inputs'] = [F.interpolate(data['inputs'][0].float(), side)]
    frames = model.data_preprocessor(data)['inputs'][0]
    with torch.no_grad():
        maps = model.backbone(frames)
    assert maps.shape == (T, 512, 3, 3)

    cam = GradCAM(model, 'backbone/layer4/1/relu')
    heat, scores = cam(data, alpha=1.0)

    assert scores.shape == (1, NUM_CLASSES)
    # Behind the last ReLU there is only a mean and a classifier, so that the
    # gradient of a score is the row of the classifier.
    row = model.cls_head.fc_cls.weight[scores.argmax()].detach()
    expected = torch.einsum('tchw,c->thw', maps, row).relu()[None, None]
    expected = F.interpolate(expected, (T, side, side), mode='trilinear')[0]
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    assert expected.std() > 0.05
    assert heat.shape == (1, T, side, side, 3)
    colours = torch.from_numpy(cam.colormap(expected.numpy())[..., :3])
    # The colours come in 256 steps.
    torch.testing.assert_close(heat, colours, atol=0.02, rtol=0)
