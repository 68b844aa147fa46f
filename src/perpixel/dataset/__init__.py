"""Folders of images and masks: understood, described, read."""

from perpixel.dataset.layout.folder import Dataset
from perpixel.dataset.sample import Finding, Sample
from perpixel.dataset.scan import scan

__all__ = ["Dataset", "Finding", "Sample", "scan"]
