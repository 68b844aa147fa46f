"""Telling: pages that open offline, one self-contained HTML file each."""

from perpixel.report.compare_page import write_comparison
from perpixel.report.live_page import LivePage
from perpixel.report.run_page import write_report

__all__ = ["LivePage", "write_comparison", "write_report"]
