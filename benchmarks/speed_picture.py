"""Draw the results of networks.py: ratios to the baseline, or growth with frames."""

import matplotlib

matplotlib.use('Agg')  # no display is needed

import matplotlib.pyplot as plt  # noqa: E402

COLOURS = {'ours': '#1b7f79', 'in-tree': '#c98b1d', 'naive': '#b0413e'}
PANELS = (
    ('inference', 'ratio', 'inference time'),
    ('training', 'ratio', 'training step time'),
    ('training', 'memory_ratio', 'peak memory of a training step'),
)


def backbone(row):
    """Name what a network is made of, and its size."""
    if row['network'] == 'TAdaFormer':
        arch, form = row['depth'].split()
        return f'TAdaFormer {arch}, form {form}'
    return f'ResNet-{row["depth"]}'


def baseline(rows):
    names = {row['implementation'] for row in rows} - {*COLOURS}
    return ' or '.join(
        {'TSN': 'TSN on the same ResNet', 'CLIP': 'CLIP frame by frame'}[name]
        for name in sorted(names)
    )


def draw(rows, path):
    """Draw the first setting that is in the rows.

    Of one number of frames these are bars of ratios, of several lines over them.
    """
    rows = [row for row in rows if row['setting'] == rows[0]['setting']]
    first, counts = rows[0], sorted({int(row['frames']) for row in rows})
    names = list(dict.fromkeys(row['network'] for row in rows))
    grows = len(counts) > 1
    figure, axes = plt.subplots(1, len(PANELS), figsize=(12, 3.6), sharey=not grows)
    for axis, (mode, value, title) in zip(axes, PANELS):
        shown = [row for row in rows if row['mode'] == mode]
        if grows:
            _draw_growth(axis, shown, value, counts)
        else:
            _draw_ratios(axis, shown, names, value)
        axis.set_title(title)
        axis.spines[['top', 'right']].set_visible(False)
    if not grows:
        axes[0].set_ylabel(f'ratio to {baseline(rows)}')
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='lower center', ncols=len(labels))
    figure.suptitle(
        f'{backbone(first)}, {first["batch"]} x {", ".join(map(str, counts))} frames, '
        f'{first["size"]} px, {first["setting"]}: {first["device"]}, '
        f'{first["threads"]} thread(s), torch {first["torch"]}',
        fontsize=10,
    )
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _draw_growth(axis, rows, value, counts):
    """Draw a line for every network of ours, and dotted ones for the naive ones."""
    value, unit = {
        'ratio': ('seconds', 's'),
        'memory_ratio': ('memory_mib', 'MiB'),
    }[value]
    lines = {}
    for row in rows:
        key = row['network'], row['implementation']
        lines.setdefault(key, {})[int(row['frames'])] = float(row[value])
    names = list(dict.fromkeys(name for name, _ in lines))
    for (name, implementation), line in lines.items():
        style = {'ours': '-', 'naive': ':'}.get(implementation)
        if style:
            axis.plot(
                counts,
                [line[t] for t in counts],
                style,
                marker='.',
                color=f'C{names.index(name)}',
                label=name if implementation == 'ours' else f'{name}, naive',
            )
    axis.set_xticks(counts)
    axis.set_xlim(0)
    axis.set_ylim(0)
    axis.set_xlabel('frames')
    axis.set_ylabel(unit)


def _draw_ratios(axis, rows, names, value):
    width = 0.8 / len(COLOURS)
    for index, (implementation, colour) in enumerate(COLOURS.items()):
        bars = [row for row in rows if row['implementation'] == implementation]
        x = [names.index(row['network']) + (index - 1) * width for row in bars]
        heights = [float(row[value]) for row in bars]
        axis.bar(x, heights, width, color=colour, label=implementation)
        for left, height in zip(x, heights):
            text = f'{height:.2f}'
            axis.annotate(text, (left, height), ha='center', va='bottom', fontsize=7)
    axis.axhline(1, color='black', linewidth=1)
    axis.set_xticks(range(len(names)), names)
