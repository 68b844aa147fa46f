"""A network in int8 by OpenVINO, where validation images say that it loses little, and a timing that it pays."""
