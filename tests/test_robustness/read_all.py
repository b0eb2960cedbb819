"""Reads every video of a folder as training does, and writes down what came of it.

python read_all.py TRANSFORM FOLDER RESULT
"""

import json
import sys
from pathlib import Path

from mmaction.utils import register_all_modules
from mutated_videos import read_number

from mmtemporal.datasets.transforms import SkipBroken

register_all_modules()
read = SkipBroken(
    transforms=[
        dict(type=f'mmtemporal.{sys.argv[1]}'),
        dict(type='SampleFrames', clip_len=1, num_clips=8, test_mode=True),
        dict(type='DecordDecode'),
    ],
    max_broken=1,
)
outcomes = {}
for path in sorted(Path(sys.argv[2]).iterdir()):
    results = read(dict(filename=str(path), start_index=0))
    outcomes[path.stem] = results and dict(
        asked=[int(i) for i in results['frame_inds']],
        got=[read_number(frame) for frame in results['imgs']],
        shapes=sorted({frame.shape for frame in results['imgs']}),
        total_frames=results['total_frames'],
    )
Path(sys.argv[3]).write_text(json.dumps(outcomes))
