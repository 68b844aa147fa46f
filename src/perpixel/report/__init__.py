"""Telling: pages that open offline, one self-contained HTML file each."""

from perpixel.report.run_page import write_report

__all__ = ["write_report"]
