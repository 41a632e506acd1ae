"""YAML as people write it by hand: a key that is given twice is a mistake, not the last one's value."""

from collections.abc import Hashable
from typing import Any

import yaml

from contracts.errors import InputError


class _Unique(yaml.constructor.BaseConstructor):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set[tuple[str, str]]()
        for key, _ in node.value:
            # A merge (<<) may come more than once, and what it brings may be said anew.
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if (key.tag, key.value) in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value} stands there twice", key.start_mark
                    )
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


class _Loader(_Unique, yaml.SafeLoader):
    pass


class _TextLoader(_Unique, yaml.BaseLoader):
    pass


def read_yaml(text: bytes, uri: str, *, as_text: bool = False) -> Any:
    """What a file says; `uri` is for the message where it is bad.

    Args:
        text: the file's content.
        uri: where it came from.
        as_text: leave every value and key the string that stands there: `no` is `"no"`, and `007` is `"007"`.

    Raises:
        InputError: it isn't YAML, or says a thing twice.
    """
    try:
        return yaml.load(text, _TextLoader if as_text else _Loader)  # noqa: S506 - both are safe
    except RecursionError:
        raise InputError(f"{uri} is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:  # a ValueError: a date that there isn't
        raise InputError(f"{uri} isn't YAML: {' '.join(str(error).split())}") from None
