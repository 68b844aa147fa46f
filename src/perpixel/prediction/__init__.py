"""Prediction at any size: whole images, tiles without seams, files in flat memory.

Predictor(network, codec).predict(image)                an image in memory
Predictor(network, codec).predict_file("a.tif", "out")  a file, a piece at a time
"""

from perpixel.prediction.in_memory import Prediction, Predictions
from perpixel.prediction.outputs import Outputs
from perpixel.prediction.predict_options import PredictOptions
from perpixel.prediction.predicted_files import PredictedFiles, Written
from perpixel.prediction.predictor import Predictor

__all__ = ["Outputs", "PredictOptions", "PredictedFiles", "Prediction", "Predictions", "Predictor", "Written"]
