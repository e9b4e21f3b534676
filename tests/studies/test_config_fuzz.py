"""Any configuration is either refused in one line, before any job, or it is a study.

What is drawn follows from schemas/config.schema.yaml and config.yaml: a fault of one key, a contradiction between
keys, values within the schema's limits that may contradict each other, and sound studies.
"""

import copy
import math
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from adaptive_neon.errors import InputError
from adaptive_neon.families.networks.settings import UNET_BLOCKS
from adaptive_neon.merging.grid import parse_point, point_name
from adaptive_neon.rivals.plan import read_rivals
from adaptive_neon.search.settings import parse_settings, settings_name
from adaptive_neon.studies.config import check_config, check_network, complete_schema, search_control
from adaptive_neon.studies.layers import read_scalars
from adaptive_neon.studies.plan import Study
from hypothesis import given, settings
from hypothesis import strategies as st
from workflow import runner

ROOT = Path(__file__).parents[2]
WITHOUT_FAMILY = yaml.safe_load((ROOT / "schemas/config.schema.yaml").read_text())
SCHEMA = complete_schema(WITHOUT_FAMILY, None)
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
DEFAULT["blocks"] = [{"name": name, "pattern": pattern} for name, pattern in UNET_BLOCKS.items()]
MANY = {"deadline": None, "derandomize": True, "database": None}

# Values of each type that YAML knows; a fault is one that the schema's type does not allow.
OF_TYPE = {
    "object": st.just({"surprise": 1}),
    "array": st.lists(st.integers(0, 3), max_size=2),
    "string": st.sampled_from(["", "twelve", "digits", "1 000", "no such"]),
    "number": st.sampled_from([0.5, -2.5, 1e-9]),
    "integer": st.integers(1, 5),
    "boolean": st.booleans(),
    "null": st.none(),
    "not finite": st.sampled_from([math.nan, math.inf, -math.inf]),
}
WIDER = {"number": {"number", "integer"}}


def resolved(schema):
    """Without references; of an alternative, the list."""
    if "if" in schema:
        return schema["if"] | schema["then"]
    if "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        known = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        properties = known.get("properties", {}) | rest.get("properties", {})
        return known | rest | ({"properties": properties} if properties else {})
    return schema


def types(schema):
    """The names of the types that a schema allows."""
    found = schema.get("type", "string")
    return set(found) if isinstance(found, list) else {found}


def places(schema, value, path=()):
    """Every (path, its schema, its value) of the default configuration."""
    schema = resolved(schema)
    yield path, schema, value
    if isinstance(value, dict):
        for key in value:
            yield from places(schema["properties"][key], value[key], (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(schema["items"], item, (*path, index))


PLACES = list(places(SCHEMA, DEFAULT))


def put(config, path, value):
    """The configuration with another value at a path."""
    config = copy.deepcopy(config)
    section = config
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = value
    return config


def outside(schema):
    """Values of the right type that the schema's limits forbid."""
    found = []
    whole = schema.get("type") == "integer"
    numbers = st.integers if whole else lambda low, high: st.floats(low, high, allow_nan=False)
    if "minimum" in schema:
        found.append(numbers(schema["minimum"] - 1000, schema["minimum"] - 1))
    if "maximum" in schema:
        found.append(numbers(schema["maximum"] + 1, schema["maximum"] + 1000))
    if "exclusiveMinimum" in schema:
        found.append(numbers(-1000, schema["exclusiveMinimum"]))
    if "exclusiveMaximum" in schema:
        found.append(numbers(schema["exclusiveMaximum"], 1000))
    if "enum" in schema:
        found.append(st.text(max_size=8).filter(lambda text: text not in schema["enum"]))
    if "pattern" in schema:
        found.append(st.sampled_from(["/", "../x", "a b", "-", "digits\n"]))
    if "minLength" in schema and "null" not in types(schema):  # nothing is null, as YAML reads it
        found.append(st.just(""))
    if "minItems" in schema:
        found.append(st.just([]))
    if schema.get("uniqueItems"):
        found.append(st.floats(-5, 5).map(lambda weight: [weight, 0.25, weight]))
    return found


@st.composite
def one_fault(draw):
    """The default configuration with one fault, and a word that the message must have."""
    path, schema, value = draw(st.sampled_from(PLACES[1:]))
    kinds = [
        "type",
        *(["unknown"] if isinstance(value, dict) else []),
        *(["missing"] if isinstance(value, dict) and schema.get("required") else []),
        *(["limit"] * bool(outside(schema))),
    ]
    kind = draw(st.sampled_from(kinds))
    key = str(path[-1] if isinstance(path[-1], str) else path[-2])
    if kind == "type":
        right = set().union(*(WIDER.get(name, {name}) for name in types(schema)))
        wrong = draw(st.sampled_from(sorted(OF_TYPE.keys() - right)))
        bad = draw(OF_TYPE[wrong])
    elif kind == "limit":
        bad = draw(st.one_of(outside(schema)))
    elif kind == "unknown":
        key = draw(st.one_of(st.text("abcxyz_", min_size=1, max_size=6), st.integers(), st.booleans(), st.none()))
        if key in schema["properties"]:
            key = f"{key}_"
        bad, key = {**value, key: draw(st.integers())}, str(key)
    else:
        key = draw(st.sampled_from([name for name in schema["required"] if name in value]))
        bad = {name: item for name, item in value.items() if name != key}
    return put(DEFAULT, path, bad), key


@st.composite
def contradiction(draw):
    """The default configuration with values that are sound alone and not together, and a word of the message."""
    small = st.integers(1, 50)
    first, count = DEFAULT["search"]["first_seed"], DEFAULT["search"]["images"]
    kind = draw(st.integers(0, 12))
    if kind == 0:
        overlap = draw(st.integers(max(first - DEFAULT["heldout"]["images"] + 1, 0), first + count - 1))
        return put(DEFAULT, ("heldout", "first_seed"), overlap), "heldout"
    if kind == 1:
        high = draw(st.floats(0.01, 100))
        config = put(DEFAULT, ("sampler", "sigma_max"), high)
        return put(config, ("sampler", "sigma_min"), high * draw(st.floats(1, 10))), "sigma_min"
    if kind == 2:
        snapshots = draw(st.lists(small, min_size=2, max_size=5).filter(lambda s: s != sorted(set(s))))
        return put(DEFAULT, ("finetune", "snapshots_kimg"), snapshots), "snapshots_kimg"
    if kind == 3:
        images = draw(st.integers(6, 5000).filter(lambda n: n % DEFAULT["intervals"]["seed_blocks"]))
        return put(DEFAULT, (draw(st.sampled_from(["search", "heldout"])), "images"), images), "seed_blocks"
    if kind == 4:
        micro = draw(st.integers(2, 2000).filter(lambda n: DEFAULT["finetune"]["batch"] % n))
        path = draw(st.sampled_from([("finetune",), ("base", "training")]))
        return put(DEFAULT, (*path, "micro_batch"), micro), "micro_batch"
    if kind == 5:
        config = put(DEFAULT, ("replicas",), draw(st.integers(2, 100)))
        return put(config, ("replica_stride",), draw(st.integers(1, 50_000))), "replica_stride"
    if kind == 6:
        return put(DEFAULT, ("heldout", "first_seed"), 2**32 - draw(st.integers(1, 2999))), "4294967295"
    if kind == 7:
        index = draw(st.integers(0, 2))
        pattern = draw(st.sampled_from(["(", "nowhere", "[", "*", "enc", "."]))
        return put(DEFAULT, ("blocks", index, "pattern"), pattern), "blocks"
    if kind == 8:
        weights = draw(st.lists(st.integers(-100, 100), min_size=22, max_size=99, unique=True))
        return put(put(DEFAULT, ("search", "method"), "grid"), ("grid", "weights"), weights), "grid.weights"
    if kind == 9:
        blocks, classes = DEFAULT["intervals"]["seed_blocks"], DEFAULT["base"]["architecture"]["label_dim"]
        images = blocks * draw(st.integers(2, 500).filter(lambda n: n % classes))
        return put(DEFAULT, (draw(st.sampled_from(["search", "heldout"])), "images"), images), "classes"
    if kind == 10:
        first = draw(st.sampled_from(["search", "heldout"]))
        config = put(DEFAULT, ("loop", "generations"), draw(st.integers(1, 20)))
        return put(config, ("loop", "first_seed"), DEFAULT[first]["first_seed"]), "loop.first_seed"
    if kind == 11:
        period = 2 * DEFAULT["base"]["architecture"]["label_dim"]
        config = put(DEFAULT, ("search", "noise"), "antithetic")
        config = put(config, ("search", "images"), 200)
        key, unit = draw(st.sampled_from([("first_seed", period), ("images", 10 * period)]))
        value = draw(st.integers(60, 5000).filter(lambda n: n % unit))
        return put(config, ("search", key), value), "antithetic pairs"
    sides = draw(st.integers(2, 400).filter(lambda side: side % 2))
    return put(DEFAULT, ("base", "architecture", "img_resolution"), sides), "img_resolution"


def allowed(schema):
    """Values that a schema allows, small ones."""
    schema = resolved(schema)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if isinstance(schema["type"], list):
        return st.none() | allowed(schema | {"type": next(name for name in schema["type"] if name != "null")})
    if schema["type"] == "object":
        return st.fixed_dictionaries({key: allowed(part) for key, part in schema["properties"].items()})
    if schema["type"] == "integer":
        low = schema.get("minimum", 0)
        return st.integers(low, min(schema.get("maximum", low + 40), low + 40))
    if schema["type"] == "number":
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf), low + 100)
        return st.floats(
            low, high, exclude_min="exclusiveMinimum" in schema, exclude_max="exclusiveMaximum" in schema
        ).filter(lambda value: value >= 1e-6 or "exclusiveMinimum" not in schema)
    if schema["type"] == "array":
        return st.lists(
            allowed(schema["items"]),
            min_size=schema.get("minItems", 0),
            max_size=4,
            unique=schema.get("uniqueItems", False),
        )
    return st.from_regex(schema.get("pattern", "[a-z]+"), fullmatch=True).filter(lambda text: len(text) < 20)


@st.composite
def within_limits(draw):
    """The default configuration with a few values that the schema allows: sound, or a contradiction."""
    config = DEFAULT
    for path, schema, value in draw(st.lists(st.sampled_from(PLACES[1:]), min_size=1, max_size=4)):
        if not isinstance(value, dict) and "blocks" not in path and not isinstance(path[-1], int):
            config = put(config, path, draw(allowed(schema)))
    architecture = resolved(SCHEMA["properties"]["base"])["properties"]["architecture"]["properties"]
    for key in draw(st.lists(st.sampled_from(sorted(architecture)), max_size=3)):
        config = put(config, ("base", "architecture", key), draw(allowed(architecture[key])))
    return config


@st.composite
def sound(draw):
    """A configuration that is a study."""
    config = copy.deepcopy(DEFAULT)
    blocks = draw(st.integers(2, 12))
    config["classes"] = draw(st.sampled_from(["balanced", "drawn"]))
    classes = config["base"]["architecture"]["label_dim"] if config["classes"] == "balanced" else 1
    images = draw(st.lists(st.integers(math.ceil(6 / classes), 40), min_size=2, max_size=2))
    images = [count * classes for count in images]
    seed = draw(st.integers(0, 1000))
    config["intervals"]["seed_blocks"] = blocks
    method = draw(st.sampled_from(["grid", "surface", "race", "gradient"]))
    rounds = 1 if method in ("grid", "gradient") else draw(st.integers(1, 3))
    noise = draw(st.sampled_from(["independent", "antithetic"])) if method != "gradient" else "independent"
    if noise == "antithetic":
        images[0] *= 2
        seed *= 2 * classes
    config["search"] = {
        "method": method,
        "images": images[0] * blocks,
        "rounds": rounds,
        "noise": noise,
        "control": draw(st.sampled_from([None, 0] if method == "gradient" else [None, 0, 1, 3])),
        "first_seed": seed,
    }
    drawn = rounds * images[0] * blocks * (1 + search_control(config))
    stepped = 0
    if method == "gradient":
        descent = {
            "steps": draw(st.integers(1, 9)),
            "images": classes * draw(st.integers(6, 9)),
            "lr": draw(st.floats(0.01, 1)),
        }
        config["search"]["gradient"], stepped = descent, descent["steps"] * descent["images"]
    config["heldout"] = {
        "images": images[1] * blocks,
        "noise": draw(st.sampled_from(["auto", "independent"])),
        "first_seed": seed + drawn + stepped + draw(st.integers(0, 9)),
    }
    config["synthetic"] = {"images": draw(st.integers(6, 1000)), "first_seed": draw(st.integers(0, 10**5))}
    config["finetune"]["snapshots_kimg"] = draw(
        st.lists(st.integers(1, 99), min_size=1, max_size=3, unique=True).map(sorted)
    )
    weights = st.lists(st.floats(-9, 9), max_size=3, unique=True)
    wide = [0.25, 0.75] if method in ("surface", "gradient") else [0.75]
    others = weights.filter(lambda found: not set(found) & set(wide))
    config["grid"] = {"weights": [*wide, *draw(others)], "diagonal": draw(weights)}
    if draw(st.booleans()):
        config["blocks"] = [{"name": "all", "pattern": "."}] if method != "gradient" else "layers"
    config["replicas"] = draw(st.integers(1, 3))
    config["loop"]["generations"] = draw(st.integers(0, 3))
    if method == "grid" and not config["loop"]["generations"]:
        config["base"]["training"]["average_kimg"] = draw(st.floats(2, 300))
        config["rivals"] = draw(rivals(len(config["grid"]["weights"]), config["replicas"]))
    config["run"] |= {"sampling_batch": draw(st.integers(1, 600)), "shards": draw(st.integers(1, 9))}
    return config


def rivals(candidates, replicas):
    """Sound rivals, at most as many candidates as Neon has."""
    weights = st.lists(st.floats(-9, 9), min_size=1, max_size=candidates, unique=True)
    searched = st.fixed_dictionaries({"steps": st.lists(st.integers(2, 40), min_size=1, max_size=2, unique=True)})
    kinds = [
        st.fixed_dictionaries({"kind": st.just("guidance")}, optional={"weights": weights, "searched": searched}),
        st.fixed_dictionaries(
            {"kind": st.just("training")}, optional={"as": st.sampled_from(["base", "finetune"])}
        ),
        st.fixed_dictionaries({"kind": st.just("ema"), "length": st.floats(0.01, 0.28)}),
        st.fixed_dictionaries({"kind": st.just("synthetic"), "sampler": st.just({"rho": 5})}),
        st.fixed_dictionaries({"kind": st.just("sampler"), "searched": searched}, optional={"weights": weights}),
        *([st.just({"kind": "averaged"})] if replicas > 1 else []),
    ]
    named = st.lists(st.one_of(kinds), max_size=3)
    return named.map(lambda found: [{"name": f"rival-{i}", **rival} for i, rival in enumerate(found)])


def plan(config):
    """What the workflow does before any job: the checked study, with the names of all its targets."""
    config = copy.deepcopy(config)
    config.update(read_scalars(config))
    check_config(config, WITHOUT_FAMILY)
    check_network(config)
    study = Study(config)
    for cell, points in study.cells().items():
        assert "/" not in cell
        for point in points:
            assert parse_point(point_name(point)) == point
    for replica in study.replicas:
        for images in ("search", "heldout"):
            first, count = study.seeds(images, replica)
            shards = study.shards(images, replica, config["run"]["shards"])
            assert sum(part for _, part in shards) == count
            assert shards[0][0] == first
    for rival in read_rivals(config).values():
        for name in rival.candidates:
            assert "/" not in name and point_name(parse_point(name)) + settings_name(parse_settings(name)) == name
    assert [study.previous_snapshot(kimg) for kimg in study.snapshots] == [0, *study.snapshots[:-1]]
    return study


def refusal(config):
    """The one line with which a configuration is refused."""
    with pytest.raises(InputError) as caught:
        plan(config)
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    return message


@given(one_fault())
@settings(max_examples=400, **MANY)
def test_a_fault_of_one_key_is_refused(fault):
    config, word = fault
    assert word in refusal(config)


@given(contradiction())
@settings(max_examples=100, **MANY)
def test_a_contradiction_is_refused(fault):
    config, word = fault
    assert word in refusal(config)


@given(within_limits())
@settings(max_examples=150, **MANY)
def test_values_within_limits_are_a_study_or_are_refused(config):
    try:
        plan(config)
    except InputError as error:
        assert len(str(error).splitlines()) == 1


@given(sound())
@settings(max_examples=50, **MANY)
def test_a_sound_configuration_is_a_study(config):
    assert plan(config).cells()


def dry_run(config):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.yaml").write_text(yaml.safe_dump(config))
        command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
        process = runner.run_command([*command, "--dry-run", "--quiet"])
        assert not (Path(folder) / "results").exists()
    return process


@given(st.one_of(one_fault(), contradiction()))
@settings(max_examples=4, **MANY)
def test_snakemake_says_the_line_and_starts_nothing(fault):
    config, _ = fault
    process = dry_run(config)
    assert process.returncode == 1
    said = process.stdout
    assert "Traceback" not in said
    assert [line for line in said.splitlines() if line.startswith("adaptive-neon:")] == [
        f"adaptive-neon: {refusal(config)}"
    ]


@given(sound())
@settings(max_examples=2, **MANY)
def test_snakemake_plans_a_sound_configuration(config):
    process = dry_run(config)
    assert process.returncode == 0, process.stdout
