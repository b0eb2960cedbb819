"""How to read each figure, in a sentence or two."""

# Heading and text by the names of the figures, in the order of the page.
CAPTIONS = {
    'grad_cam': (
        'Where the score comes from',
        'The frames that the network saw, and Grad-CAM over them: bright regions and '
        'frames speak for the recognised class.',
    ),
    'mixing': (
        'Which frames are mixed',
        'Row t shows of which input frames the output frame t is made. A diagonal '
        'means no mixing; weight to the right of it comes from later frames, to the '
        'left from earlier ones.',
    ),
    'kernels': (
        'Temporal kernels',
        'Every channel of this video has a kernel of its own. A violin is the '
        'distribution of the weight that the frame before (-1), the frame itself (0) '
        'or the frame behind (+1) gets; a network that does not use time has all of '
        'its weight at 0, one that averages has it on the dotted line.',
    ),
    'importance': (
        'Importance of the frames',
        'Before the mixing, each frame of each channel is multiplied by an importance '
        'between 0 and 1. Each violin stands under its frame.',
    ),
    'kernel_histograms': (
        'The same kernels in numbers',
        'How many channels have which weight, for each offset; the line is the median.',
    ),
    'interlacing': (
        'Where groups of channels go',
        'Left: by how many frames each learnable group of channels is moved, layer by '
        'layer. Right: the weight of each frame after the move, red above 1 and blue '
        'below.',
    ),
    'differences': (
        'What changes',
        'Below the frames is how much changes within each window, which the '
        'short-term module sees. Then the gates of the long-term module: red regions '
        'are strengthened, blue ones weakened.',
    ),
    'gates': (
        'Gates of all layers',
        'The mean gate of each layer and segment: above 1, features are strengthened '
        'because of how they differ from the neighbouring segments.',
    ),
    'calibrations': (
        'Calibration of the kernels',
        'A kernel is multiplied by a calibration for each frame and channel. White is '
        'the plain kernel, 1; of TAdaFormer it is 0, with either sign around it. Above '
        'the mean over the channels, below how much they differ.',
    ),
    'channels': (
        'Calibration of single channels',
        'Each row is a channel: where its colour changes from left to right, its '
        'kernel changes from frame to frame.',
    ),
}
