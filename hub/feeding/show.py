"""Reports for people and spreadsheets, from the plain values of a report: a new one, or one that was kept."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

FIGURES = ("read", "created", "changed", "ended", "unchanged", "refused", "skipped")
_DONE = {
    "checked": "checked, nothing changed", "published": "published", "held": "HELD for a human, nothing changed",
    "refused": "REFUSED, nothing changed", "running": "running", "interrupted": "interrupted, nothing changed",
}  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_text(report: dict[str, Any], places: int = 5) -> str:
    """The report of a delivery for a terminal, with the first ``places`` of each cause."""
    academy = f" of academy {report['academy']}" if report["academy"] else ""
    dates = ", ".join(f"{degree} of {day or 'unknown date'}" for degree, day in report["dates"].items())
    lines = [f"{len(report['files'])} file(s), feed {report['feed'] or '-'}{academy}: {_DONE[report['outcome']]}"]
    if report["kind"]:
        lines.append(f"{report['kind']}: {dates}")
    lines += [report["message"]] if report["message"] else []
    lines += ["", f"{'':14}" + "".join(f"{name:>10}" for name in FIGURES)]
    lines += [f"{row['degree']} {row['category']:11}" + "".join(f"{row[name]:>10}" for name in FIGURES) for row in report["counts"]]
    lines += _causes(report["causes"], places)
    if report["unknown_attributes"]:
        lines += ["", "Unknown attributes:"]
        lines += [f"{row['count']:>8}  {row['category']} {row['attribute']}" for row in report["unknown_attributes"]]
    for degree, quality in report.get("quality", {}).items():
        lines += ["", f"Data quality {degree}:", *(f"  {sentence}" for sentence in quality["sentences"])]
    return "\n".join(lines)


def school_as_text(school: dict[str, Any], places: int = 5) -> str:
    """The report of one school for a terminal."""
    lines = [f"{school['uai'] or '-'} {school['name']} ({school['degree']})", ""]
    changes = [f"{school['counts'][name]} {name}" for name in FIGURES if school["counts"][name]]
    lines.append(f"pupils: {', '.join(changes) or 'no change'}")
    lines += _causes(school["causes"], places)
    if school["quality"]:
        lines += ["", "Data quality:", *(f"  {sentence}" for sentence in school["quality"]["sentences"])]
    return "\n".join(lines)


def _causes(causes: Iterable[dict[str, Any]], places: int) -> list[str]:
    lines = [""]
    for row in causes:
        lines.append(f"{row['count']:>8}  {row['meaning']}")
        lines += [f"{'':10}{_place(place)}" for place in row["places"][:places]]
    return lines if len(lines) > 1 else []


def _place(place: dict[str, Any]) -> str:
    where = f"{place['file']}:{place['line']}" if place["line"] else place["file"]
    return f"{where} ({place['category']} {place['id']})" if place["id"] else where


def as_csv(report: dict[str, Any] | None, schools: Iterable[dict[str, Any]] = ()) -> str:
    """The figures and causes as one table, the delivery first, then each school. Separator ``;``, safe in a spreadsheet."""
    rows: list[tuple[Any, ...]] = [("scope", "uai", "degree", "kind", "what", "count", "file", "line", "category", "id")]
    for counts in report["counts"] if report else ():
        rows += [("delivery", "", counts["degree"], counts["category"], name, counts[name], "", "", "", "") for name in FIGURES]
    rows += _cause_rows("delivery", "", "", report["causes"] if report else ())
    for school in schools:
        start = ("school", school["uai"], school["degree"])
        rows += [(*start, "student", name, school["counts"][name], "", "", "", "") for name in FIGURES]
        rows += _cause_rows(*start, school["causes"])
        figures = school["quality"]["figures"] if school["quality"] else {}
        rows += [(*start, "quality", name, number, "", "", "", "") for name, number in figures.items()]
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="\n").writerows([[_harmless(cell) for cell in row] for row in rows])
    return out.getvalue()


def _cause_rows(scope: str, uai: str, degree: str, causes: Iterable[dict[str, Any]]) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    for row in causes:
        rows.append((scope, uai, degree, "cause", row["cause"], row["count"], "", "", "", ""))
        rows += [(scope, uai, degree, "place", row["cause"], "", p["file"], p["line"], p["category"], p["id"]) for p in row["places"]]
    return rows


def _harmless(cell: Any) -> Any:
    """A file name is written by a stranger: a cell must not be a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
