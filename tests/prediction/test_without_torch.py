"""Tiles, blending and outputs are NumPy alone: nothing above the seam loads PyTorch."""

import subprocess
import sys

BLOCKED = "import sys; sys.modules['torch'] = None; "


def test_prediction_is_imported_without_torch_and_without_scipy():
    code = "import perpixel.prediction, perpixel.prediction.load; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", BLOCKED + code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
