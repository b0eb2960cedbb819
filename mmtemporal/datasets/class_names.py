"""Names of classes."""

from pathlib import Path


def read_class_names(file: Path, num_classes: int) -> list[str]:
    """Read the names of the classes, one in each line, in their order.

    Raises:
        ValueError: There are not as many as the head has classes.
    """
    names = file.read_text(encoding='utf-8').splitlines()
    if len(names) != num_classes:
        raise ValueError(
            f'{file} has {len(names)} lines, but cls_head.num_classes={num_classes}'
        )
    return names
