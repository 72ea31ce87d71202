"""Results of a batch, for spreadsheets and for whatever reads test reports."""

import csv
import io
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_tools.provision.job import ProvisionResult

COLUMNS = (
    "mac",
    "result",
    "code",
    "reason",
    "advice",
    "seconds",
    "meter",
    "site",
    "protection",
    "settings",
    "certificate",
    "enrolment",
    "enrolment_file",
)


@dataclass(frozen=True)
class Row:
    """A board's result and its enrolment file, None if there is none."""

    result: ProvisionResult
    file: Path | None


def as_csv(rows: Sequence[Row]) -> str:
    """A table with COLUMNS."""
    output = io.StringIO()
    writer = csv.DictWriter(output, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        result, record = row.result, row.result.record
        writer.writerow(
            {
                "mac": result.name,
                "result": "failed" if result.failed else "done",
                "code": result.code,
                "reason": result.reason,
                "advice": result.advice,
                "seconds": f"{result.seconds:.1f}",
                "meter": record.meter if record else "",
                "site": record.site if record else "",
                "protection": record.protection if record else "",
                "settings": result.done.get("settings", ""),
                "certificate": result.done.get("certificate", ""),
                "enrolment": result.done.get("enrolment", ""),
                "enrolment_file": row.file or "",
            }
        )
    return output.getvalue()


def as_junit(rows: Sequence[Row]) -> bytes:
    """JUnit's XML: a test case for each board, a failure with reason and advice."""
    failed = sum(row.result.failed for row in rows)
    seconds = f"{sum(row.result.seconds for row in rows):.1f}"
    counts = {"tests": str(len(rows)), "failures": str(failed), "errors": "0", "time": seconds}
    suite = ElementTree.Element("testsuite", {"name": "wattle-tool batch", **counts})
    for row in rows:
        result = row.result
        case = ElementTree.SubElement(
            suite,
            "testcase",
            {
                "classname": "provision",
                "name": result.name,
                "time": f"{result.seconds:.1f}",
            },
        )
        if result.failed:
            told = {"message": _printable(result.reason), "type": f"exit code {result.code}"}
            ElementTree.SubElement(case, "failure", told).text = _printable(result.advice)
    ElementTree.indent(suite, " ")
    return bytes(ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)) + b"\n"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
