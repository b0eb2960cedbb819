# The lines of the lists have all classes of a video: "folder/clip.mp4 3 7".
_base_ = './tanet_kinetics400-pretrained-r50_1xb8-1x1x8-20e_owndata-rgb.py'

model = dict(
    cls_head=dict(
        multi_class=True,
        loss_cls=dict(type='BCELossWithLogits'),
        # 'prob' would be a softmax, which lets one class win at the others' cost.
        average_clips='score',
    )
)

several_labels = dict(multi_class=True, num_classes=_base_.num_classes)
train_dataloader = dict(dataset=several_labels)
val_dataloader = dict(dataset=several_labels)
test_dataloader = val_dataloader

# The mean over the classes, and the mean over the videos.
val_evaluator = dict(
    metric_list=('mean_average_precision', 'mmit_mean_average_precision')
)
test_evaluator = val_evaluator
