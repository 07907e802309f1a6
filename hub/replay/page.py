"""The report as one HTML file that needs nothing else: style and plot are in it."""

from dataclasses import dataclass
from pathlib import Path

from hub.replay.fairness_table import bars, lines, notes
from hub.replay.report import Report
from hub.replay.table import hours, share
from hub.replay.warning import EarlyWarning
from hub.templating import templates_in, write_page

_SIDE = 360
_MARGIN = 56


@dataclass(frozen=True, slots=True)
class _Point:
    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Recall over false alarms, in pixels of a square of `side` at `margin`."""

    side: int
    margin: int
    age: tuple[_Point, ...]
    ours: tuple[_Point, ...]

    @property
    def line(self) -> str:
        """The points of flagging by age, as SVG wants them."""
        return " ".join(f"{point.x:.1f},{point.y:.1f}" for point in self.age)


def write_html(report: Report, path: Path) -> None:
    """Write the report to `path`. InputError when that cannot be written."""
    environment = templates_in(Path(__file__).parent)
    environment.filters["share"] = share
    environment.filters["hours"] = hours
    warning, fairness = report.early_warning, report.fairness
    text = environment.get_template("report.html.j2").render(
        report=report,
        plot=_plot(warning) if warning else None,
        bars=bars(fairness) if fairness else (),
        fairness_lines=tuple(lines(fairness)) if fairness else (),
        fairness_notes=notes(fairness) if fairness else (),
    )
    write_page(path, text)


def _plot(warning: EarlyWarning) -> Plot:
    age = tuple(_at(p.false_alarms, p.recall, f"{p.lead_h:g} h") for p in warning.by_age)
    ours = tuple(_at(f.false_alarms, f.recall, f.clocks) for f in warning.flagging)
    return Plot(_SIDE, _MARGIN, age, ours)


def _at(false_alarms: float, recall: float, label: str) -> _Point:
    return _Point(_MARGIN + false_alarms * _SIDE, _MARGIN + (1 - recall) * _SIDE, label)
