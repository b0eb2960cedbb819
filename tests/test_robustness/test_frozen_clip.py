"""TAdaFormer with a frozen CLIP in two processes, which search no unused parameters."""

import pytest
import torch
import torch.distributed as dist
from forked import start
from mmaction.structures import ActionDataSample
from mmengine.model import MMDistributedDataParallel
from parity import build_recognizer
from small_tada_formers import ARCH, FORMS, WIDTH

SMALL = dict(
    arch=dict(ARCH, _delete_=True),
    img_size=16,
    num_segments=4,
    routing=dict(head_dim=4),
)
STEPS = 3  # the second one fails if the first has left a parameter without a gradient


def run(rank, folder, form):
    torch.manual_seed(0)
    dist.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    head = dict(num_classes=3, in_channels=WIDTH)
    backbone = dict(SMALL, form=form, freeze_clip=True)
    model = build_recognizer('tadaformer_base', backbone=backbone, cls_head=head)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    parallel = MMDistributedDataParallel(model.train(), broadcast_buffers=False)
    torch.manual_seed(rank)
    for _ in range(STEPS):
        clips = torch.randn(2, 1, 3, 4, 16, 16)
        samples = [ActionDataSample().set_gt_label(label) for label in range(2)]
        loss, _ = model.parse_losses(parallel(clips, samples, mode='loss'))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = dict(model.named_parameters())
    moved = {name for name, p in before.items() if not torch.equal(p, after[name])}
    torch.save((moved, model.state_dict()), f'{folder}/{rank}.pth')
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize('form', FORMS)
def test_two_processes_train_the_temporal_blocks_alone(form, tmp_path):
    children = [start(run, rank, tmp_path, form) for rank in range(2)]
    for child in children:
        child.join()
        assert child.exitcode == 0
    (moved, first), (_, second) = (torch.load(tmp_path / f'{r}.pth') for r in range(2))
    assert {name.partition('.')[0] for name in moved} == {'backbone', 'cls_head'}
    of_backbone = {name for name in moved if name.startswith('backbone.')}
    assert all('.tada.' in name or '.tada2.' in name for name in of_backbone)
    for layer in (0, 1):
        assert f'backbone.layers.{layer}.tada.routing.a.weight' in of_backbone
    for name in moved:
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=0)
