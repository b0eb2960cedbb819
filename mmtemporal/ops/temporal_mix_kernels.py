"""The GPU kernels of temporal mixing. Importing this file needs Triton.

A frame is seen as a matrix whose rows are dense: channels x pixels, or pixels x
channels where the memory format is channels-last. A program owns one tile of that
matrix in one clip and takes it through all frames. So no two programs need the same
value, and the source frames that neighbouring output frames share are read again
while the cache next to the program still holds them.

Sizes marked "units" count runs of UNIT values. As the compiler knows UNIT, it knows
that rows start and end where vectors of that length do. Offsets are 64 bits wide:
the feature maps of a batch may hold more than 2 ** 31 values.
"""

import triton
import triton.language as tl


@triton.jit
def mix_kernel(
    out,  # (clips, frames, rows, columns), dense
    frames,
    weights,
    clip_stride,  # units
    frame_stride,  # units
    row_stride,  # units
    weights_clip_stride,
    weights_stride,
    weights_frame_stride,
    weights_channel_stride,
    num_rows,
    num_columns,  # units
    NUM_FRAMES: tl.constexpr,
    NUM_WEIGHTS: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    UNIT: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_COLUMNS: tl.constexpr,
):
    """Write sum_k weights[n, k, t, c] * frames[n, t + k - K // 2, c]."""
    ACCUMULATE: tl.constexpr = (
        tl.float64 if frames.dtype.element_ty == tl.float64 else tl.float32
    )
    clip, _, rows, _, columns = _own_tile(
        num_rows, num_columns * UNIT, BLOCK_ROWS, BLOCK_COLUMNS
    )
    row, column = rows[:, None], columns[None, :]
    inside = (row < num_rows) & (column < num_columns * UNIT)
    frames += (clip * clip_stride + row * row_stride) * UNIT + column
    out += (clip * NUM_FRAMES * num_rows + row) * num_columns * UNIT + column
    if CHANNELS_LAST:
        # As many weights as values: in one shape they take the same vector loads.
        channel = tl.broadcast_to(column, (BLOCK_ROWS, BLOCK_COLUMNS))
        has_channel = inside
    else:
        channel = rows
        has_channel = rows < num_rows
    weights += clip * weights_clip_stride + channel * weights_channel_stride

    for t in range(NUM_FRAMES):
        mixed = tl.zeros((BLOCK_ROWS, BLOCK_COLUMNS), ACCUMULATE)
        for k in tl.static_range(NUM_WEIGHTS):
            # A block of one value: the interpreter makes no mask of plain numbers.
            source = (t + k - NUM_WEIGHTS // 2) + tl.zeros((1,), tl.int64)
            exists = (source >= 0) & (source < NUM_FRAMES)
            offset = source * frame_stride * UNIT
            value = tl.load(frames + offset, inside & exists, other=0)
            offset = tl.cast(k, tl.int64) * weights_stride
            weight = tl.load(weights + offset, has_channel & exists, other=0)
            if not CHANNELS_LAST:
                weight = weight[:, None]
            mixed += weight.to(ACCUMULATE) * value.to(ACCUMULATE)
        tl.store(out, mixed.to(out.dtype.element_ty), inside)
        weights += weights_frame_stride
        out += tl.cast(num_rows, tl.int64) * num_columns * UNIT


@triton.jit
def correlate_kernel(
    out,  # (parts, clips, weights, frames, channels), dense
    left,
    right,
    left_clip_stride,  # units
    left_frame_stride,  # units
    left_row_stride,  # units
    right_clip_stride,  # units
    right_frame_stride,  # units
    right_row_stride,  # units
    num_clips,
    num_rows,
    num_columns,  # units
    NUM_FRAMES: tl.constexpr,
    NUM_WEIGHTS: tl.constexpr,
    CHANNELS_LAST: tl.constexpr,
    UNIT: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_COLUMNS: tl.constexpr,
):
    """Write the parts of sum_hw left[n, t, c] * right[n, t + k - K // 2, c].

    Every part is the sum over the pixels of one tile.
    """
    ACCUMULATE: tl.constexpr = (
        tl.float64 if left.dtype.element_ty == tl.float64 else tl.float32
    )
    PIXELS: tl.constexpr = 0 if CHANNELS_LAST else 1
    clip, row_block, rows, column_block, columns = _own_tile(
        num_rows, num_columns * UNIT, BLOCK_ROWS, BLOCK_COLUMNS
    )
    row, column = rows[:, None], columns[None, :]
    inside = (row < num_rows) & (column < num_columns * UNIT)
    left += (clip * left_clip_stride + row * left_row_stride) * UNIT + column
    right += (clip * right_clip_stride + row * right_row_stride) * UNIT + column
    if CHANNELS_LAST:
        part, channel, num_channels = row_block, columns, num_columns * UNIT
    else:
        part, channel, num_channels = column_block, rows, num_rows
    out += (part * num_clips + clip) * NUM_WEIGHTS * NUM_FRAMES * num_channels + channel

    for t in range(NUM_FRAMES):
        here = tl.load(left, inside, other=0).to(ACCUMULATE)
        for k in tl.static_range(NUM_WEIGHTS):
            source = (t + k - NUM_WEIGHTS // 2) + tl.zeros((1,), tl.int64)
            exists = (source >= 0) & (source < NUM_FRAMES)
            offset = source * right_frame_stride * UNIT
            there = tl.load(right + offset, inside & exists, other=0)
            product = tl.sum(here * there.to(ACCUMULATE), PIXELS)
            product = product.to(out.dtype.element_ty)
            offset = tl.cast(k, tl.int64) * NUM_FRAMES * num_channels
            tl.store(out + offset, product, channel < num_channels)
        left += tl.cast(left_frame_stride, tl.int64) * UNIT
        out += num_channels


@triton.jit
def _own_tile(
    num_rows, num_columns, BLOCK_ROWS: tl.constexpr, BLOCK_COLUMNS: tl.constexpr
):
    """Return this program's clip, block of rows, rows, block of columns, columns."""
    row_blocks = tl.cdiv(num_rows, BLOCK_ROWS)
    column_blocks = tl.cdiv(num_columns, BLOCK_COLUMNS)
    program = tl.program_id(0).to(tl.int64)
    column_block = program % column_blocks
    row_block = program // column_blocks % row_blocks
    clip = program // column_blocks // row_blocks
    row = row_block * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    column = column_block * BLOCK_COLUMNS + tl.arange(0, BLOCK_COLUMNS)
    return clip, row_block, row, column_block, column
