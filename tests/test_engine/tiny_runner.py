"""A training of one number, which takes milliseconds an epoch."""

import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner


class Number(BaseModel):
    def __init__(self):
        super().__init__()
        self.p = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs, mode='loss'):
        return dict(loss=(self.p * torch.stack(inputs).mean()).sum())


def build_runner(work_dir, epochs, **kwargs):
    """Return a runner of two iterations an epoch, with the hooks of the configs."""
    hooks = dict(
        checkpoint={
            'type': 'mmtemporal.SafeCheckpointHook',
            **kwargs.pop('checkpoint', {}),
        },
        resume_schedule=dict(type='mmtemporal.ResumeScheduleHook'),
    )
    return Runner(
        model=Number(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=1,
            num_workers=0,
            dataset=[dict(inputs=torch.ones(1))] * 2,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        default_hooks=hooks,
        experiment_name=f'{work_dir.name}_{epochs}_{len(kwargs)}',
        log_level='WARNING',
        **kwargs,
    )
