"""The difference as one HTML file that needs nothing else: style and plots are in it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from hub.simulation.models import Report
from hub.simulation.table import change, in_words, number, rows, what_differs, where_parted
from hub.templating import templates_in, write_page

_WIDTH, _HEIGHT, _MARGIN = 640, 200, 56
_MOST_BUCKETS = 60


@dataclass(frozen=True, slots=True)
class Bar:
    """One value as a bar, in pixels; `label` says it to a reader."""

    x: float
    y: float
    width: float
    height: float
    side: str
    label: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One side as a line: its points, as SVG wants them."""

    side: str
    points: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A word at an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Both sides over one axis; `told` says in words what is to be seen."""

    name: str
    title: str
    told: str
    x_label: str
    y_label: str
    x_ticks: Sequence[Tick]
    top: str = ""
    curves: Sequence[Curve] = ()
    bars: Sequence[Bar] = ()
    width: int = _WIDTH
    height: int = _HEIGHT
    margin: int = _MARGIN


def write_html(report: Report, path: Path) -> None:
    """Write the report to `path`. InputError when that cannot be written."""
    environment = templates_in(Path(__file__).parent)
    environment.filters["number"] = number
    text = environment.get_template("report.html.j2").render(
        report=report,
        said=in_words(report),
        rows=[(name, a, b, change(a, b)) for name, a, b in rows(report)],
        plots=list(plots(report)),
        tickets=[(t, list(what_differs(t)), list(where_parted(t))) for t in report.top],
    )
    write_page(path, text)


def plots(report: Report) -> Iterable[Plot]:
    """Yield the plots for which there is something to see."""
    before, after = report.before.totals, report.after.totals
    days = sorted({*before.escalations_by_day, *after.escalations_by_day})
    if days:
        yield _over_time(days, before.escalations_by_day, after.escalations_by_day)
    if before.breaches or after.breaches:
        yield _breaches(before.breaches_by_metric, after.breaches_by_metric)
    loads = [[line.unit_hours for line in totals.load] for totals in (before, after)]
    if any(loads[0]) or any(loads[1]):
        yield _loads(*loads)


def _over_time(days: Sequence[str], before: Mapping[str, int], after: Mapping[str, int]) -> Plot:
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    width = max(1, -(-((last - first).days + 1) // _MOST_BUCKETS))
    count = (last - first).days // width + 1
    sums = [_bucketed(side, first, width, count) for side in (before, after)]
    span = "day" if width == 1 else f"{width} days"
    starts = [first + timedelta(days=width * n) for n in range(count)]
    every = max(1, count // 5)
    ticks = [Tick(_x(n, count), f"{starts[n]:%Y-%m-%d}") for n in range(0, count, every)]
    return _curves(
        Plot(
            name="escalations",
            title="Escalations over time",
            told=f"{sum(before.values())} before, {sum(after.values())} after.",
            x_label=f"per {span}, from {first} to {last}",
            y_label="escalations",
            x_ticks=ticks,
        ),
        sums,
    )


def _bucketed(by_day: Mapping[str, int], first: date, width: int, count: int) -> list[float]:
    sums = [0.0] * count
    for day, number_of in by_day.items():
        sums[(date.fromisoformat(day) - first).days // width] += number_of
    return sums


def _loads(before: Sequence[float], after: Sequence[float]) -> Plot:
    agents = len(before)
    sums = [sorted(side, reverse=True) for side in (before, after)]
    ticks = [Tick(_x(n, agents), str(n + 1)) for n in sorted({0, agents // 2, agents - 1})]
    return _curves(
        Plot(
            name="load",
            title="Load per agent",
            told=f"{agents} agents, from who carries most to who carries least, on each side.",
            x_label="agents, by what they carry",
            y_label="unit hours",
            x_ticks=ticks,
        ),
        sums,
    )


def _curves(plot: Plot, sides: Sequence[Sequence[float]]) -> Plot:
    top = max((value for side in sides for value in side), default=0) or 1
    curves = tuple(
        Curve(
            name, " ".join(f"{_x(n, len(side)):.1f},{_y(v, top):.1f}" for n, v in enumerate(side))
        )
        for name, side in zip(("before", "after"), sides, strict=True)
    )
    return _with(plot, top, curves=curves)


def _breaches(before: Mapping[str, int], after: Mapping[str, int]) -> Plot:
    metrics = sorted(before.keys() | after.keys())
    top = max(*before.values(), *after.values(), 1)
    each = _WIDTH / len(metrics)
    bars, ticks = [], []
    for place, metric in enumerate(metrics):
        left = _MARGIN + place * each
        name = metric.replace("_", " ")
        ticks.append(Tick(left + each / 2, name))
        for offset, (side, counts) in enumerate((("before", before), ("after", after))):
            count = counts.get(metric, 0)
            y = _y(count, top)
            x = left + each * (0.15 + 0.35 * offset)
            height = _MARGIN + _HEIGHT - y
            bars.append(Bar(x, y, each * 0.32, height, side, f"{name}, {side}: {count:,}"))
    plot = Plot(
        name="breaches",
        title="Breaches by metric",
        told=f"{sum(before.values())} before, {sum(after.values())} after.",
        x_label="metric",
        y_label="breaches",
        x_ticks=ticks,
    )
    return _with(plot, top, bars=tuple(bars))


def _with(
    plot: Plot, top: float, *, curves: Sequence[Curve] = (), bars: Sequence[Bar] = ()
) -> Plot:
    return replace(plot, top=f"{top:,.0f}", curves=curves, bars=bars)


def _x(place: int, count: int) -> float:
    return _MARGIN + (place / (count - 1) if count > 1 else 0.5) * _WIDTH


def _y(value: float, top: float) -> float:
    return _MARGIN + (1 - value / top) * _HEIGHT
