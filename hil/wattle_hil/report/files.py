"""Writes a report beside the run it is about."""

from pathlib import Path

from wattle_hil.errors import ReportError
from wattle_hil.report.model import Report
from wattle_hil.report.page import html_page
from wattle_hil.report.plain import json_report, text_report

PAGE = "report.html"


def write_report(report: Report, folder: Path) -> Path:
    """Writes report.txt, report.json and report.html; returns the path of the page.

    Raises ReportError when one cannot be written.
    """
    contents = {
        "report.txt": text_report(report),
        "report.json": json_report(report),
        PAGE: html_page(report),
    }
    try:
        for name, content in contents.items():
            (folder / name).write_text(content, encoding="utf-8")
    except OSError as error:
        raise ReportError(f"the report cannot be written: {error}") from error
    return folder / PAGE
