import numpy as np
import pytest
from adaptive_neon.merging.grid import grid, point_name
from adaptive_neon.studies.figures import (
    STYLE,
    WIDTH,
    plot_classes,
    plot_diagonal,
    plot_drift,
    plot_grid,
    plot_neighbours,
    plot_sheet,
    plot_snapshots,
    save_figure,
)
from matplotlib.image import AxesImage, imread
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from study_entries import DIVERGED, entry, metrics, study

WEIGHTS = [0.5, 1.0, 1.5]


def texts(figure):
    """All that can be read in a figure."""
    figure.draw_without_rendering()
    return [text.get_text().strip() for text in figure.findobj(Text) if text.get_visible()]


def legend(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def at(fid, recall=0.5, error=0.01):
    """Metrics whose corrected FID is 0.1 below `fid`, with a standard error; seeds move all models alike."""
    return metrics(fid, (fid + 0.1 - error, fid + 0.1 + error), recall=(recall, (recall, recall)))


@pytest.fixture
def curves():
    """Metrics of two snapshots over a single weight, among points with unequal weights; one model diverged."""
    shared = {"enc~-1.0_dec~-1.0": at(9.0), "enc~0.0_dec~0.0": at(4.0), "enc~1.0_dec~0.5": at(0.1)}
    return {
        12: {"enc~1.0_dec~1.0": at(3.0, 0.75, error=0.03), **shared, "enc~2.0_dec~2.0": DIVERGED},
        25: {**shared, "enc~1.0_dec~1.0": at(2.5), "enc~2.0_dec~2.0": at(50.0)},
    }


@pytest.fixture
def fids():
    """FID of each point of a 3×3×3 grid, the best at (1.5, 0.5, 1.0), the best single weight 1.0."""
    centre = {"enc": 1.5, "mid": 0.5, "dec": 1.0}
    return {
        point_name(point): 2 + sum((point[block] - w) ** 2 for block, w in centre.items())
        for point in grid(dict.fromkeys(centre, WEIGHTS))
    }


@pytest.fixture
def summary():
    return study(entry(12), entry(25, blockwise=DIVERGED))


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return {
        "real": rng.integers(0, 256, (20, 8, 8, 1), dtype=np.uint8),
        "best": rng.integers(0, 256, (16, 8, 8, 1), dtype=np.uint8),
        "diverged": np.empty((0, 8, 8, 1), np.uint8),
    }


# Diagonal


def test_diagonal(curves):
    figure = plot_diagonal(curves)
    fid, precision, recall = figure.axes
    lines = {line.get_label(): line for line in fid.get_lines() if not line.get_label().startswith("_")}
    assert lines["12 kimg"].get_xydata() == pytest.approx(np.array([[-1, 9], [0, 4], [1, 3]]))
    assert lines["25 kimg"].get_xydata() == pytest.approx(np.array([[-1, 9], [0, 4], [1, 2.5], [2, 50]]))
    assert recall.get_lines()[0].get_ydata().tolist() == [0.5, 0.5, 0.75]
    assert precision.get_lines()[0].get_ydata().tolist() == [0.5, 0.5, 0.5]
    assert fid.get_yscale() == "log"
    assert {"collapsed θ_s", "base θ_r", "weight w, the same in all blocks (no unit)"} < set(texts(figure))
    band = fid.collections[0].get_paths()[0].vertices
    half = 0.02 * 12.706204736432095  # Student's quantile of one degree of freedom
    last = band[band[:, 0] == 1][:, 1]  # where the outline turns
    assert [last.min(), last.max()] == pytest.approx([3 - half, 3 + half])
    assert set(band[band[:, 0] == 0][:, 1]) == {4}


def test_the_diagonal_shows_the_fid_by_which_the_search_chooses():
    """With a control variate the one corrected for bias: f = a + b/n gives a, also below 0."""

    def controlled(a):
        found = {"fid": a + 30 / 40, "without_block": {"fid": [a + 30 / 20] * 2}}
        return metrics(9.0, (9.0, 9.0)) | {"images": 40, "dimension": 3, "controlled": found}

    curve = {point_name({"all": w}): controlled(a) for w, a in ((-1, 3.0), (0, 1.0), (1, 0.5))}
    fid, _, recall = plot_diagonal({12: curve}).axes
    line = next(line for line in fid.get_lines() if line.get_label() == "12 kimg")
    assert line.get_xydata() == pytest.approx(np.array([[-1, 3], [0, 1], [1, 0.5]]))
    assert fid.get_yscale() == "log"
    assert recall.get_lines()[0].get_ydata().tolist() == [0.5, 0.5, 0.5]
    curve |= {point_name({"all": 1}): controlled(-0.1)}
    assert plot_diagonal({12: curve}).axes[0].get_yscale() == "linear"


def test_curves_differ_without_colour(curves):
    """For those who can't tell colours apart."""
    many = {kimg: curves[25] for kimg in range(6)}
    lines = plot_diagonal(many).legends[0].get_lines()
    assert len(lines) == 6
    assert len({line.get_marker() for line in lines}) == 6
    assert len({line.get_color() for line in lines}) == 6


def test_more_snapshots_than_styles(curves):
    assert legend(plot_diagonal({kimg: curves[25] for kimg in range(15)})) == [
        f"{kimg} kimg" for kimg in range(15)
    ]


# Grid


def test_grid(fids):
    figure = plot_grid(fids)
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title() for axes in panels] == [f"w of mid = {w:g}" for w in WEIGHTS]
    found = texts(figure)
    assert {"w of enc", "w of dec", "FID on the search images", "0.5", "1", "1.5"} < set(found)
    # 2 + 0 + 0 + 0, and 2 + 0.25 + 0.25 + 0
    assert [text for text in found if "best" in text] == ["2\nbest", "2.5\nbest single"]
    for axes, mid in zip(panels, WEIGHTS, strict=True):
        table = axes.findobj(AxesImage)[0].get_array()
        for i, enc in enumerate(WEIGHTS):
            for j, dec in enumerate(WEIGHTS):
                assert table[i, j] == fids[point_name({"enc": enc, "mid": mid, "dec": dec})]


def test_panels_share_their_colours(fids):
    """Else the same colour would mean another FID in the next panel."""
    limits = {image.get_clim() for image in plot_grid(fids).findobj(AxesImage)}
    assert limits == {(min(fids.values()), max(fids.values()))}


def test_a_diverged_point_is_left_blank(fids):
    fids["enc~0.5_mid~1.0_dec~1.5"] = None
    tables = [image.get_array() for image in plot_grid(fids).findobj(AxesImage)]
    assert [np.argwhere(np.ma.getmaskarray(table)).tolist() for table in tables] == [[], [[0, 2]], []]


def test_what_is_indistinguishable_from_the_best_is_outlined(fids):
    assert not plot_grid(fids).legends
    figure = plot_grid(fids, ["enc~1.5_mid~0.5_dec~1.0", "enc~1.0_mid~1.5_dec~0.5"])
    panels = [axes for axes in figure.axes if axes.get_title()]
    outlines = [
        [patch.get_center() for patch in axes.findobj(Rectangle) if not patch.get_fill()] for axes in panels
    ]
    assert [[tuple(np.round(centre)) for centre in panel] for panel in outlines] == [[(1, 2)], [], [(0, 1)]]
    assert legend(figure) == ["indistinguishable from the best"]


def test_one_model_that_is_best_in_both_ways():
    figure = plot_grid({"enc~0.5_dec~0.5": 1.0, "enc~0.5_dec~1.0": 2.0, "enc~1.0_dec~0.5": None})
    assert [text for text in texts(figure) if "best" in text] == ["1\nbest"]


# Sheet


def test_sheet(rows):
    figure = plot_sheet(rows, columns=16)
    assert [text for text in texts(figure) if text] == ["real", "best", "diverged"]
    shown = np.array([image.get_array() for image in figure.findobj(AxesImage)])
    assert len(shown) == 2 * 16
    np.testing.assert_array_equal(shown, np.concatenate([rows["real"][:16], rows["best"]])[..., 0])


def test_sheet_of_colour_images():
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    shown = np.array([image.get_array() for image in plot_sheet({"best": images}, 4).findobj(AxesImage)])
    np.testing.assert_array_equal(shown, images)


# Snapshots


def test_snapshots(summary):
    figure = plot_snapshots(summary)
    axes = figure.axes[0]
    assert set(legend(figure)) == {"base θ_r", "best single weight", "best weights per block"}
    assert axes.get_xticks().tolist() == [12, 25]
    single, blockwise = (container.lines for container in axes.containers)
    assert single[0].get_ydata() == pytest.approx([3.0, 3.0])
    assert blockwise[0].get_ydata() == pytest.approx([2.5])
    low, high = summary["snapshots"][0]["global"]["fid_interval"]
    for segment in single[2][0].get_segments():
        assert segment[:, 1] == pytest.approx([low + 0.1, high + 0.1])  # the corrected FID is 2.9


def test_snapshots_of_several_replicas():
    """Means and intervals over the replicas, and a mark for each."""
    summary = study(entry(), replicas=[[entry(blockwise=metrics(3.5, (3.65, 3.45)))]])
    axes = plot_snapshots(summary).axes[0]
    blockwise = axes.containers[1].lines
    assert blockwise[0].get_ydata() == pytest.approx([3.0])
    low, high = summary["over_replicas"][0]["blockwise"]["fid"]["interval"]
    assert low < 0  # and no FID is
    assert blockwise[2][0].get_segments()[0][:, 1] == pytest.approx([0, high + 0.05])
    marks = [c.get_offsets()[:, 1].tolist() for c in axes.collections if len(c.get_offsets()) == 1]
    assert marks[-2:] == [[pytest.approx(2.5)], [pytest.approx(3.5)]]


def test_snapshots_where_all_winners_diverged(summary):
    for snapshot in summary["snapshots"]:
        snapshot["blockwise"] = {"fid": None, "diverged": True}
    assert len(plot_snapshots(summary).axes[0].containers) == 1


# Drift, classes, neighbours


def test_drift():
    rows = [
        {"kimg": 12, "norm": {"enc": 1.0, "dec": 2.0}, "relative": {"enc": 0.01, "dec": 0.02}},
        {
            "kimg": 25,
            "norm": {"enc": 2.0, "dec": 3.0},
            "relative": {"enc": 0.02, "dec": 0.03},
            "cosine": {"enc": 0.9, "dec": None},
            "step_cosine": {"enc": 0.5, "dec": None},
        },
    ]
    length, straight = plot_drift(rows).axes
    assert [line.get_ydata().tolist() for line in length.get_lines()] == [[1, 2], [2, 3]]
    drawn = [line.get_xydata().tolist() for line in straight.get_lines()]
    assert drawn[:4] == [[[25, 0.9]], [[25, 0.5]], [], []]
    assert len(plot_drift(rows[:1]).axes) == 1


def test_recall_by_class(summary):
    models = {"base": summary["base"], "collapsed": DIVERGED, "global": summary["snapshots"][0]["global"]}
    figure = plot_classes(models)
    assert legend(figure) == ["base", "best single weight"]
    assert [c.lines[0].get_ydata().tolist() for c in figure.axes[0].containers] == [[0.4, 0.6]] * 2


def test_neighbours(rows):
    real = rows["real"]
    indices = np.array([[3, 1], [0, 2]])
    figure = plot_neighbours(
        rows["best"][:2], real[indices], np.array([[0.5, 1.5], [2.0, 2.5]]), {"generated": 1.25, "real": 3.0}
    )
    shown = np.array([image.get_array() for image in figure.findobj(AxesImage)])
    expected = [*rows["best"][:2], real[3], real[0], real[1], real[2]]
    np.testing.assert_array_equal(shown, np.array(expected)[..., 0])
    found = texts(figure)
    assert {"0.5", "1.5", "2", "2.5"} < set(found)
    assert "median distance to the nearest other real image: generated images 1.25, real images 3" in found


def test_a_diverged_model_has_no_neighbours(rows):
    nothing = np.empty((0, 3, 8, 8, 1), np.uint8)
    assert "diverged" in texts(plot_neighbours(rows["diverged"], nothing, np.empty((0, 3)), {}))


# All figures


def test_all_figures_have_one_width_and_one_size_of_type(curves, fids, rows, summary):
    """Scaled to one width in a report, they look alike."""
    figures = [plot_diagonal(curves), plot_grid(fids), plot_sheet(rows), plot_snapshots(summary)]
    figures.append(plot_classes({"base": summary["base"]}))
    assert {figure.get_figwidth() for figure in figures} == {WIDTH}
    for figure in figures:
        figure.draw_without_rendering()
        sizes = {text.get_fontsize() for text in figure.findobj(Text) if text.get_text().strip()}
        assert sizes == {STYLE["font.size"]}


@pytest.mark.parametrize("suffix", ["svg", "png"])
@pytest.mark.parametrize("plot", ["diagonal", "grid", "sheet", "snapshots"])
def test_the_same_figure_gives_the_same_bytes(curves, fids, rows, summary, tmp_path, plot, suffix):
    draw = {
        "diagonal": lambda: plot_diagonal(curves),
        "grid": lambda: plot_grid(fids),
        "sheet": lambda: plot_sheet(rows),
        "snapshots": lambda: plot_snapshots(summary),
    }[plot]
    paths = [tmp_path / folder / f"{plot}.{suffix}" for folder in ("one", "other")]
    for path in paths:
        save_figure(draw(), path)
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    if suffix == "svg":
        assert b"</svg>" in first
        assert b"dc:date" not in first
    else:
        assert imread(paths[0]).std() > 0.01
