"""Draw the results of deployment.py: bars of the variants of each network."""

import matplotlib

matplotlib.use('Agg')  # no display is needed

import matplotlib.pyplot as plt  # noqa: E402

BLUE, GREEN, ORANGE = 'Blues', 'Greens', 'Oranges'
MAPS = {'onnxruntime': GREEN, 'OpenVINO': ORANGE}


def colours(variants):
    """Return a colour for each variant: one hue for each runtime."""
    groups = {}
    for name in variants:
        groups.setdefault(MAPS.get(name.split()[0], BLUE), []).append(name)
    return {
        name: plt.get_cmap(hue)(0.85 - 0.55 * i / max(1, len(names) - 1))
        for hue, names in groups.items()
        for i, name in enumerate(names)
    }


def draw(rows, path):
    """Draw the ratios to eager TSN, a panel for each number of clips."""
    networks = list(dict.fromkeys(row['network'] for row in rows))
    shades = colours(dict.fromkeys(row['variant'] for row in rows))
    batches = list(dict.fromkeys(str(row['batch']) for row in rows))
    figure, axes = plt.subplots(
        len(batches), 1, figsize=(12, 3 * len(batches) + 1), squeeze=False
    )
    width = 0.85 / len(shades)
    for axis, batch in zip(axes[:, 0], batches):
        for i, (variant, colour) in enumerate(shades.items()):
            bars = [
                row
                for row in rows
                if (row['variant'], str(row['batch'])) == (variant, batch)
            ]
            shift = (i - (len(shades) - 1) / 2) * width
            x = [networks.index(row['network']) + shift for row in bars]
            heights = [float(row['ratio']) for row in bars]
            axis.bar(x, heights, width, color=colour, label=variant)
            for left, height in zip(x, heights):
                axis.annotate(
                    *(f'{height:.2f}', (left, height)),
                    **dict(ha='center', va='bottom', fontsize=6),
                )
        axis.axhline(1, color='black', linewidth=1)
        axis.set_xticks(range(len(networks)), networks)
        axis.set_ylabel(f'time / eager TSN, {batch} clip(s)')
        axis.spines[['top', 'right']].set_visible(False)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='lower center', ncols=5, fontsize=8)
    figure.suptitle(settings(rows), fontsize=10)
    figure.tight_layout(rect=(0, 0.6 / figure.get_figheight(), 1, 1))
    figure.savefig(path, dpi=130)
    plt.close(figure)


def settings(rows):
    """Say in a line what was measured, and where."""
    first = rows[0]
    parts = [
        f'ResNet-{first["depth"]}, {first["frames"]} frames of {first["size"]} px',
        f'{first["device"]}, {first["threads"]} thread(s)',
        *(f'{x} {first[x]}' for x in ('torch', 'onnxruntime', 'openvino') if first[x]),
        f'{first["rounds"]} round(s)',
    ]
    return ', '.join(parts)
