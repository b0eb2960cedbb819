"""Names of classes."""

from pathlib import Path


def read_class_names(file: Path, num_classes: int) -> list[str]:
    """Read the names of the classes, one in each line, in their order.

    Raises:
        ValueError: It is no text, or has not as many as the head has classes.
        OSError: It cannot be read.
    """
    try:
        names = file.read_text(encoding='utf-8').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(
            f'{file} is no text in UTF-8 with the name of a class in each line: {error}'
        ) from error
    if len(names) != num_classes:
        raise ValueError(
            f'{file} has {len(names)} lines, but cls_head.num_classes={num_classes}'
        )
    return names
