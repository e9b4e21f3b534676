"""The card of a merged model in Markdown, with the metadata that hubs read in front."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

LARGEST = 2**20  # bytes of a base model's card that are read
KEPT = (
    "license",
    "license_name",
    "license_link",
    "language",
    "datasets",
    "pipeline_tag",
    "library_name",
    "base_model",
)


def model_card(name: str, recipe: Mapping, base: Path | None = None) -> str:
    """The card of a model that a merge made.

    Args:
        name: of the model.
        recipe: what it was made of (see `recipe.recipe`).
        base: the folder of θ_r, whose own card says the license.
    """
    front = kept(base) if base else {}
    if base and (base / "model_index.json").exists():
        front.setdefault("library_name", "diffusers")
    front["tags"] = ["neon", "model-merging"]
    patterns = {block: pattern.replace("|", "\\|") for block, pattern in recipe["blocks"].items()}
    rows = [f"| {block} | {w} | `{patterns[block]}` |" for block, w in recipe["weights"].items()]
    return "\n".join(
        [
            f"---\n{yaml.safe_dump(front, sort_keys=True)}---",
            "",
            f"# {name}",
            "",
            f"Negative extrapolation from self-training (Neon): {recipe['formula']}, with θ_r = "
            f"{recipe['base']['name']}, θ_s = {recipe['tuned']['name']}, and one w for each block. "
            "w > 0 extrapolates away from θ_s, w = 0 is θ_r, w = −1 is θ_s.",
            "",
            "| block | w | names of its weights |",
            "| --- | --- | --- |",
            *rows,
            "",
            "## Recipe",
            "",
            "```json",
            json.dumps(recipe, indent=1, ensure_ascii=False),
            "```",
            "",
        ]
    )


def kept(base: Path) -> dict:
    """What the card in a base model's folder says that holds of its merge too, the license above all."""
    front = _front_matter(base / "README.md")
    return {key: front[key] for key in KEPT if key in front}


def _front_matter(path: Path) -> dict:
    """The metadata of the base model's card; nothing if there is none that can be read."""
    try:
        if path.stat().st_size > LARGEST:
            return {}
        _, front, _ = path.read_text().split("---", 2)
        found = yaml.safe_load(front)
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
