"""Rivals of Neon on held-out images, with what they cost: for programs, as a table, and as figures."""

from adaptive_neon.families import settings_of
from adaptive_neon.families.checkpoints import read_architecture
from adaptive_neon.jobs.files import read_json, write_json
from adaptive_neon.jobs.job import job
from adaptive_neon.rivals import figures
from adaptive_neon.rivals.costs import costs
from adaptive_neon.rivals.plan import read_rivals
from adaptive_neon.rivals.results import TABLE_HEADER, compare, own_points, summarise, table_rows
from adaptive_neon.studies.figures import save_figure
from adaptive_neon.studies.tables import write_table

with job(snakemake.log[0], snakemake.threads):
    inputs, params = snakemake.input, snakemake.params
    rivals = read_rivals(params.config)
    architecture = read_architecture(inputs.base)
    own = list(map(read_json, inputs.heldout))
    others = list(map(read_json, inputs.rivals))
    entries = {}
    runs = zip(params.runs, inputs.selections, inputs.chosen, params.heldout, params.positions, strict=True)
    for (replica, kimg), selection, chosen, where, places in runs:
        roles, chosen = read_json(selection)["roles"], read_json(chosen)
        heldout = {name: values for place in where for name, values in own[place].items()}
        points = own_points(roles)
        measured = {role: heldout[name] for role, name in points.items()}
        for name, place in zip(rivals, places, strict=True):
            points[name] = chosen[name]["point"]
            measured[name] = others[place][points[name]]
        about = {
            name: costs(params.config, architecture, kimg, rivals.get(name, name), point)
            for name, point in points.items()
        }
        entries.setdefault(replica, []).append(compare(kimg, points, measured, about))
    summary = summarise(params.config, list(entries.values()))
    write_json(snakemake.output.summary, summary)
    for path in snakemake.output.tables:
        write_table(path, TABLE_HEADER, table_rows(summary))
    for entry, path in zip(summary["snapshots"], snakemake.output.figures, strict=True):
        save_figure(figures.plot_prices(summary, entry["kimg"]), path)
    for linearity, path in zip(inputs.linearity, snakemake.output.linearity, strict=True):
        axis = settings_of(architecture).NOISE_LEVEL
        save_figure(figures.plot_linearity(read_json(linearity), axis), path)
