_base_ = './tanet_kinetics400-pretrained-r50_1xb8-1x1x8-20e_owndata-rgb.py'

# By class, in the order of their numbers. A video of a rare class counts for more.
videos_per_class = [500, 400, 300, 200, 200, 100, 100, 100, 50, 50]
class_weight = [
    sum(videos_per_class) / (len(videos_per_class) * count)
    for count in videos_per_class
]
num_classes = len(videos_per_class)

model = dict(
    cls_head=dict(
        num_classes=num_classes,
        loss_cls=dict(type='CrossEntropyLoss', class_weight=class_weight),
    )
)
