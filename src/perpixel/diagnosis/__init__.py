"""What a bug report needs: the machine, the installation, and whether they work together."""

from perpixel.diagnosis.diagnosis_result import Diagnosis, SelfCheck, diagnose

__all__ = ["Diagnosis", "SelfCheck", "diagnose"]
