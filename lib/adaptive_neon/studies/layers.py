"""An experiment's configuration as it is read: files and values in layers, laid over each other."""

import copy
import difflib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from adaptive_neon.errors import InputError
from adaptive_neon.families import settings_of
from adaptive_neon.jobs.foreign import reading
from adaptive_neon.studies.config import check_config, family_name, given_architecture

MOST_VALUES = 100_000  # of a configuration, which nested aliases of YAML can multiply
FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # of libyaml, ten times as fast, which not every build has
LARGEST = 2**20  # bytes of a file; the longest here has some thousands


def read_scalars(config: Any) -> Any:
    """The same configuration, with text that YAML would read as a number, a truth value or null read so.

    Snakemake's `--config key='{nested: 5}'` leaves every nested value a text.
    """
    if isinstance(config, dict):
        return {key: read_scalars(value) for key, value in config.items()}
    if isinstance(config, list):
        return [read_scalars(value) for value in config]
    if isinstance(config, str):
        try:
            value = yaml.load(config, _Loader)
        except Exception:  # text of anyone
            return config
        if value is None and config.lower() not in ("null", "~"):  # nothing, or a comment
            return config
        return value if isinstance(value, int | float | None) else config
    return config


def read_config(schema: Path, layers: Sequence[Path], given: Mapping | None = None) -> dict:
    """A configuration file, overlays of it and values from the command line, laid over each other and checked.

    A layer that names another family of models brings that family's own keys: those of the family before don't
    carry over. Where a layer puts a checkpoint in place of a training, only the family of the architecture does.
    Whole numbers come back as integers, so that `0` and `0.0` are the same configuration.

    Raises:
        InputError: no such file, not YAML, or a fault of the configuration.
    """
    config: dict = {}
    for layer in (*map(read_yaml, layers), read_scalars(dict(given or {}))):
        _lay_over(config, layer)
    check_config(config, yaml.load(schema.read_text(), FAST))
    return _whole(config)


def read_experiment(layers: Sequence[Path]) -> dict:
    """The same from a clone of the project: the schema stands beside the first file.

    Raises:
        InputError: also if it does not.
    """
    schema = layers[0].parent / "schemas/config.schema.yaml"
    if layers[0].exists() and not schema.exists():
        raise InputError(
            f"{layers[0]}: no {schema} beside it; give the config.yaml of a clone first, then overlays"
        )
    return read_config(schema, layers)


class _Loader(yaml.SafeLoader):
    """YAML in which no key stands twice, and no number is another than it looks: `010` is none, nor is `1:30`."""

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        if ":" in node.value or re.match(r"[-+]?0[\d_]", node.value):
            raise yaml.MarkedYAMLError(
                problem=f"{node.value} would be a number in base 8 or 60", problem_mark=node.start_mark
            )
        kind = node.tag.rpartition(":")[2]
        return {"int": super().construct_yaml_int, "float": super().construct_yaml_float}[kind](node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value} stands twice", problem_mark=key.start_mark
                )
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep)


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.construct_number)


def read_yaml(path: Path) -> dict:
    """A YAML file of keys, no key twice.

    Raises:
        InputError: no such file, or not such YAML.
    """
    if not path.exists():
        known = sorted(file.stem for file in path.parent.glob("*.yaml"))
        near = difflib.get_close_matches(path.stem, known, n=1)
        there = f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"
        raise InputError(f"{path}: no such file; {there}")
    with reading(path, "a configuration in YAML", "correct it"):
        if (size := path.stat().st_size) > LARGEST:
            raise InputError(f"{path}: {size:,} bytes, more than {LARGEST:,}; give a configuration")
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
        values = _size(content, {})
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no keys; give a configuration")
    if values > MOST_VALUES:
        raise InputError(
            f"{path}: holds more than {MOST_VALUES:,} values, those behind an alias counted each time; write fewer"
        )
    return content


def _size(value: Any, known: dict[int, float]) -> float:
    """How many values stand in a configuration, those behind an alias counted each time; a loop has no end."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = math.inf  # until it is known: a value that contains itself
        parts = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(part, known) for part in parts)
    return known[id(value)]


def _lay_over(config: dict, layer: Mapping) -> None:
    """Change `config` in place; sections that both have are laid over each other key by key."""
    before = given_architecture(config)
    change = given_architecture(layer)
    if before is not None and change is not None:
        after = {"family": change.get("family", before.get("family"))} if change else {}
        if family_name(before) != family_name(after):
            _drop_family(config, settings_of(before).SCHEMA)
    base = layer.get("base")
    if before and isinstance(base, Mapping) and base.get("checkpoint") and not config["base"].get("checkpoint"):
        config["base"]["architecture"] = {"family": family_name(config["base"]["architecture"])}
    _merge(config, layer)


def _drop_family(config: dict, schema: Mapping) -> None:
    """Take out what belongs to the family with this schema."""
    config["base"] |= {"architecture": {}, "codec": None, "prompts": None}
    config.pop("sampler", None)
    if isinstance(config.get("grid"), dict):
        config["grid"]["sampler"] = {}
    for section in (config["base"].get("training"), config.get("finetune")):
        for key in schema["training"]["properties"]:
            if isinstance(section, dict):
                section.pop(key, None)


def _merge(config: dict, layer: Mapping) -> None:
    for key, value in layer.items():
        if isinstance(value, Mapping) and isinstance(config.get(key), dict):
            _merge(config[key], value)
        else:
            config[key] = copy.deepcopy(value)


def _whole(value: Any) -> Any:
    """The same with every float that is a whole number as an integer."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
