"""What a prediction is asked to write."""

import pytest

from perpixel.errors import SettingsError
from perpixel.prediction import Outputs


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("instances", True, "instances True is unknown"),
        ("polygons", "gpkg", "geojson, geopackage"),
        ("probabilities", "float16", "did you mean float32"),
        ("existing", "keep", "existing 'keep' is unknown"),
    ],
)
def test_a_choice_that_there_is_not_is_refused(option, value, told):
    with pytest.raises(SettingsError, match=told):
        Outputs(**{option: value})
