"""Tiles, blending and outputs are NumPy alone: nothing above the seam loads PyTorch."""

import subprocess
import sys

BLOCKED = "import sys; sys.modules['torch'] = None; "


def test_prediction_is_imported_without_torch_and_without_scipy():
    code = "import perpixel.prediction, perpixel.prediction.load; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", BLOCKED + code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_needs_torch_says_what_to_install(cells):
    code = (
        "import perpixel; from perpixel.cli import main\n"
        "try: perpixel.train('cells')\n"
        "except perpixel.PerpixelError as error: print(error)\n"
        "assert main(['train', 'cells', '--out', 'run']) == 1; "
        "assert main(['predict', 'runs/cells', sys.argv[1], '--out', 'masks']) == 1"
    )
    command = [sys.executable, "-c", BLOCKED + code, str(cells / "images")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    refusal = [
        "this needs torch, which is not installed; perpixel-runtime only predicts with exported bundles.",
        "Fix: pip uninstall perpixel-runtime, then pip install perpixel.",
    ]
    assert done.stdout.splitlines() == refusal
    assert done.stderr.splitlines() == [
        *refusal,
        "runs/cells is no exported bundle, and PyTorch, which predicts with a run, is not installed.",
        "Fix: export the run where perpixel is installed whole, and give the bundle.",
    ]
