import numpy as np
import pytest
from adaptive_neon.figures import plot_diagonal, plot_grid, plot_sheet, plot_snapshots, save_figure
from adaptive_neon.grid import grid, point_name
from matplotlib.image import AxesImage, imread
from matplotlib.text import Text

WEIGHTS = [0.5, 1.0, 1.5]


def texts(figure):
    """All that can be read in a figure."""
    figure.draw_without_rendering()
    return [text.get_text().strip() for text in figure.findobj(Text) if text.get_visible()]


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


@pytest.fixture
def curves():
    """FIDs of two snapshots over a single weight, among points with unequal weights; one model diverged."""
    shared = {"enc~-1.0_dec~-1.0": 9.0, "enc~0.0_dec~0.0": 4.0, "enc~1.0_dec~0.5": 0.1}
    return {
        12: {"enc~1.0_dec~1.0": 3.0, **shared, "enc~2.0_dec~2.0": None},
        25: {**shared, "enc~1.0_dec~1.0": 2.5, "enc~2.0_dec~2.0": 50.0},
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
    def model(fid):
        return {"fid": fid, "fid_corrected": fid - 0.1, "fid_interval": [fid - 0.3, fid + 0.2]}

    diverged = {"fid": None, "diverged": True}
    return {
        "base": model(4.0),
        "snapshots": [
            {"kimg": 12, "global": model(3.0), "blockwise": model(2.5)},
            {"kimg": 25, "global": model(2.0), "blockwise": diverged},
        ],
    }


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
    axes = figure.axes[0]
    lines = {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}
    assert lines["12 kimg"].get_xydata().tolist() == [[-1, 9], [0, 4], [1, 3]]
    assert lines["25 kimg"].get_xydata().tolist() == [[-1, 9], [0, 4], [1, 2.5], [2, 50]]
    assert axes.get_yscale() == "log"
    assert {"collapsed θ_s", "base θ_r", "weight w, the same in all blocks", "self-training"} < set(texts(figure))
    assert any("FID" in text for text in texts(figure))


def test_curves_differ_without_colour(curves):
    """For those who can't tell colours apart."""
    many = {kimg: curves[25] for kimg in range(6)}
    lines = plot_diagonal(many).axes[0].get_legend().get_lines()
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
    assert set(legend(figure)) == {"base", "best single w", "best per block"}
    assert axes.get_xticks().tolist() == [12, 25]
    assert axes.get_ylim()[0] == 0
    single, blockwise = (container.lines for container in axes.containers)
    assert single[0].get_ydata() == pytest.approx([2.9, 1.9])
    assert blockwise[0].get_ydata() == pytest.approx([2.4])
    for segment, (low, high) in zip(single[2][0].get_segments(), [(2.7, 3.2), (1.7, 2.2)], strict=True):
        assert segment[:, 1] == pytest.approx([low, high])


def test_snapshots_where_all_winners_diverged(summary):
    for entry in summary["snapshots"]:
        entry["blockwise"] = {"fid": None, "diverged": True}
    assert len(plot_snapshots(summary).axes[0].containers) == 2


# Files


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
